import type { Task } from "../../generated/stillhouse/v1/experiment.js";
import type {
  Description,
  ResolveExperimentResponse,
} from "../../generated/stillhouse/v1/service.js";
import { type ExperimentSpec, Source } from "../../generated/stillhouse/v1/spec.js";
import { distilledLabel } from "../../results/spec-labels.js";
import { taskName } from "../../results/task-names.js";
import { fieldText } from "../../settings/field-text.js";
import { presetName } from "../../settings/preset-names.js";
import { settingOf } from "../../settings/settings.js";
import { formatBytes, formatCount, formatPercent } from "../../text/format.js";
import type { Colors } from "../terminal/terminal.js";
import { wrapText } from "../terminal/wrap-text.js";

/** Width of the names at the start of the lines. */
const NAME_COLUMNS = 12;

/**
 * The resolved experiment in a few lines: what is distilled, on what, and what is not the preset's.
 *
 * @param columns width of a line; undefined where lines may be long.
 */
export function renderResolved(
  { spec, description }: ResolveExperimentResponse,
  colors: Colors,
  columns: number | undefined,
): string {
  if (spec === undefined || description === undefined) return "";
  const lines: [string, string][] = [
    ["Experiment", experimentText(spec)],
    ["Data set", datasetText(spec, description)],
    ["Model", modelText(spec, description)],
    ...wordsLines(spec),
    [
      "Device",
      `${description.deviceName} (${fieldText(spec, "compute.device")}), ${fieldText(spec, "compute.precision")}`,
    ],
    ["Preset", presetText(spec, description)],
    ["Steps", stepsText(spec)],
    ...replayLines(spec),
    ...(spec.replay
      ? []
      : [["Artifact", formatBytes(description.artifactBytes)] as [string, string]]),
  ];
  const line = (name: string, text: string) =>
    `${name.padEnd(NAME_COLUMNS)}${wrapText(text, columns ?? Number.POSITIVE_INFINITY, NAME_COLUMNS)}\n`;
  return [
    ...lines.map(([name, text]) => line(name, text).replace(name, colors.bold(name))),
    ...description.notices.map((notice) =>
      line("Note", notice).replace("Note", colors.yellow("Note")),
    ),
  ].join("");
}

/** The tasks of a dry run, in their order. */
export function renderPlan({ spec, tasks }: ResolveExperimentResponse): string {
  const lines = tasks.map((task, index) => {
    const inits = numInits(task);
    const count = inits === 0 ? "" : ` (${inits} ${inits === 1 ? "init" : "inits"})`;
    return `  ${index + 1}. ${taskName(task, spec)}${count}\n`;
  });
  return `Tasks\n${lines.join("")}`;
}

function experimentText(spec: ExperimentSpec): string {
  const name = spec.name ? `${spec.name}: ` : "";
  return `${name}${distilledLabel(spec)}, seed ${spec.seed}`;
}

function datasetText({ dataset }: ExperimentSpec, description: Description): string {
  const { trainRows, validationRows, testRows, classNames } = description;
  const substitute = dataset?.substituteFor ? ` instead of ${dataset.substituteFor}` : "";
  return (
    `${dataset?.name}${substitute}: train ${formatCount(trainRows)}, ` +
    `validation ${formatCount(validationRows)}, test ${formatCount(testRows)} rows, ` +
    `${classNames.length} classes`
  );
}

function modelText({ model }: ExperimentSpec, description: Description): string {
  const { parameterCount, numLayers, numHeads, width } = description;
  const substitute = model?.substituteFor ? ` instead of ${model.substituteFor}` : "";
  return (
    `${model?.name}${substitute}: ${formatCount(parameterCount)} parameters` +
    (numLayers === 0 ? "" : `, ${numLayers} layers, ${numHeads} heads, width ${width}`)
  );
}

/** How learners meet the tasks of continual learning. */
function replayLines({ replay, evaluation }: ExperimentSpec): [string, string][] {
  if (replay === undefined) return [];
  const { tasks, steps, epochs, batchSize, lr, seeds } = replay;
  const length = steps > 0 ? `${formatCount(steps)} steps` : `${epochs} passes`;
  const text =
    `${tasks.length} tasks, ${length} each of ${formatCount(batchSize)} samples at rate ${lr}; ` +
    `seeds ${seeds.join(", ")} with ${evaluation?.inits} learners each`;
  return [["Learners", text]];
}

/** The word vectors of a network, and how much they know of the training texts. */
function wordsLines({ model }: ExperimentSpec): [string, string][] {
  const found = model?.embeddingsFound;
  if (!model?.embeddings || found === undefined) return [];
  const source = found.source === Source.PACKAGED ? " (npm package)" : "";
  const text =
    `${model.embeddings}${source}: ${formatCount(found.words)} words × ${found.width}, fingerprint ` +
    `${found.fingerprint.slice(0, 12)}, ${formatPercent(found.trainCoverage)} % of the words of train have a vector`;
  return [["Words", text]];
}

function presetText(spec: ExperimentSpec, { changedFields }: Description): string {
  const preset = presetName(spec.preset);
  if (changedFields.length === 0) return `${preset}, unchanged`;
  return `${preset}, but ${changedFields.map((path) => changeText(spec, path)).join(", ")}`;
}

/** `inner-lr 0.1`; a baseline that was switched on or off goes by its own name. */
function changeText(spec: ExperimentSpec, path: string): string {
  const setting = settingOf(path);
  const name =
    setting.kind === "subset"
      ? `baseline ${path.split(".").pop()?.replaceAll("_", "-")}`
      : setting.flag;
  return `${name} ${fieldText(spec, path)}`;
}

function stepsText({ outer, inner, distilled, dataset }: ExperimentSpec): string {
  const batch = formatCount(outer?.batchSize ?? 0);
  const image = dataset?.found?.image;
  const size = image ? `${image.width} × ${image.height} pixels` : `${distilled?.seqLen} vectors`;
  return (
    `${formatCount(outer?.steps ?? 0)} outer steps of ${batch} ${image ? "images" : "texts"}, ` +
    `${inner?.steps} inner${blocksText(inner, distilled)}, ` +
    `${samplesText(distilled)} × ${size}`
  );
}

function blocksText(
  inner: ExperimentSpec["inner"],
  distilled: ExperimentSpec["distilled"],
): string {
  const { blocks = 1 } = distilled ?? {};
  const { passes = 1 } = inner ?? {};
  return blocks === 1
    ? ""
    : ` (${passes} ${passes === 1 ? "pass" : "passes"} over ${blocks} blocks)`;
}

function samplesText(distilled: ExperimentSpec["distilled"]): string {
  const { samples = 0, perClass = 0, blocks = 1 } = distilled ?? {};
  const perBlock = blocks === 1 ? "" : samples > 0 ? " per block" : " and block";
  return samples > 0
    ? `${samples} distilled${perBlock}`
    : `${perClass} distilled per class${perBlock}`;
}

function numInits(task: Task): number {
  const kind = task.work?.kind;
  if (kind === undefined || kind.$case === "distill" || kind.$case === "pretrain") return 0;
  return kind.value.initSeeds.length;
}
