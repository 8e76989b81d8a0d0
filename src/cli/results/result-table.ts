import type { Experiment } from "../../generated/stillhouse/v1/experiment.js";
import { Init } from "../../generated/stillhouse/v1/spec.js";
import type { Spread } from "../../results/distillations.js";
import { overlapWarning } from "../../results/overlap-warning.js";
import type { Row } from "../../results/rows.js";
import { taskName } from "../../results/task-names.js";
import {
  formatBetween,
  formatBytes,
  formatCount,
  formatDuration,
  formatInterval,
  formatJoules,
  formatMeanStd,
  formatPercent,
  formatSeconds,
} from "../../text/format.js";
import { Table } from "../terminal/table.js";
import { wrapText } from "../terminal/wrap-text.js";
import { resultOf, type ShownResult } from "./result.js";
import { subjectOf } from "./subject.js";

/** The table with one line per row is this wide; a narrower terminal gets its labels on two lines. */
const WIDE_COLUMNS = 100;
const NARROW_LABEL_WIDTH = 30;

/** Colours of cli-table3 are off: the text is the same in a terminal and in a file. */
const PLAIN_STYLE = { head: [], border: [] };

/**
 * The result as a person reads it: the table as in the study, what was kept, and how to use it.
 *
 * @param artifactPath folder of the distilled data; empty where there is none.
 * @param columns width of the terminal; undefined where it does not matter.
 */
export function renderResult(
  experiment: Experiment,
  artifactPath: string,
  columns: number | undefined,
): string {
  const result = resultOf(experiment);
  return [
    subjectOf(experiment.spec),
    ...(result.rows.length === 0 ? [] : [renderTable(result.rows, columns)]),
    ...summaryLines(experiment, result).map((line) =>
      wrapText(line, columns ?? Number.POSITIVE_INFINITY, 2),
    ),
    ...(artifactPath === "" ? [] : ["", ...usageLines(artifactPath, experiment)]),
    "",
  ].join("\n");
}

/** A row of one experiment, or of several with other seeds. */
export type TableRow = Row & { readonly spread?: Spread };

/** What the last columns of a table of rows hold. */
export const ROWS_LEGEND = [
  "train: time from the opened data to the trained learner; stored: bytes of its training data,",
  "or of its weights where nothing of the encoder is trained",
];

/** The columns behind the label; one that no row fills is left out. */
const COLUMNS: readonly (readonly [head: string, cell: (row: TableRow) => string])[] = [
  ["#train\nsamples", ({ trainSamples }) => formatCount(trainSamples)],
  ["#GD\nsteps", ({ gdSteps }) => formatCount(gdSteps)],
  ["accuracy (%)", ({ accuracy }) => formatMeanStd(accuracy.mean, accuracy.std)],
  ["n", ({ accuracy }) => String(accuracy.n)],
  ["attack\nsuccess", ({ attack }) => (attack === null ? "" : spreadText(attack.success))],
  ["other\nclasses", ({ attack }) => (attack === null ? "" : spreadText(attack.others))],
  ["between\nseeds", ({ spread }) => formatBetween(spread?.distillations.std)],
  [
    "95 %\ninterval",
    ({ spread }) => (spread ? formatInterval(spread.distillations.interval95) : ""),
  ],
  ["train", ({ trainTimeS }) => (trainTimeS === null ? "" : formatSeconds(trainTimeS))],
  ["stored", ({ storedBytes }) => (storedBytes === null ? "" : formatBytes(storedBytes))],
  ["energy", ({ joules }) => (joules === null ? "" : formatJoules(joules))],
];

function spreadText({ mean, std }: Row["accuracy"]): string {
  return formatMeanStd(mean, std);
}

/** @param columns width of the terminal; undefined where it does not matter. */
export function renderTable(rows: readonly TableRow[], columns: number | undefined): string {
  const isNarrow = columns !== undefined && columns < WIDE_COLUMNS;
  const filled = COLUMNS.filter(([, cell]) => rows.some((row) => cell(row) !== ""));
  const table = new Table({
    head: ["data", ...filled.map(([head]) => head)],
    colAligns: ["left", ...filled.map(() => "right" as const)],
    style: PLAIN_STYLE,
    wordWrap: isNarrow,
    ...(isNarrow ? { colWidths: [NARROW_LABEL_WIDTH, ...filled.map(() => null)] } : {}),
  });
  for (const row of rows) table.push([row.label, ...filled.map(([, cell]) => cell(row))]);
  return table.toString();
}

function summaryLines(experiment: Experiment, result: ShownResult): string[] {
  const { ratioToFull, gapClosed, distillation } = result;
  const kept = distillation && keptStepText(distillation);
  const warning = overlapWarning(experiment.spec?.dataset?.found?.testRowsInTrain);
  return [
    ...ROWS_LEGEND,
    ...(ratioToFull === null ? [] : [`Ratio to full data: ${formatPercent(ratioToFull)} %`]),
    ...(gapClosed === null
      ? []
      : [`Gap between pretrained learners and full data closed: ${formatPercent(gapClosed)} %`]),
    ...(kept === undefined ? [] : [kept]),
    timesText([experiment]) + reusedText(experiment),
    ...(warning === undefined ? [] : [warning]),
  ];
}

export function keptStepText({
  keptStep,
  outerSteps,
  validationAccuracy,
}: {
  keptStep: number;
  outerSteps: number;
  validationAccuracy?: number | undefined;
}): string {
  const step = `Kept outer step ${formatCount(keptStep)} of ${formatCount(outerSteps)}`;
  if (validationAccuracy === undefined) return step;
  return `${step}, validation accuracy ${formatPercent(validationAccuracy)} %`;
}

/** "Time: distillation 12 min 5 s, evaluation 2 min, baselines 50 s". */
export function timesText(experiments: readonly Pick<Experiment, "spec" | "tasks">[]): string {
  const seconds = new Map<string, number>();
  const all = experiments.flatMap(({ spec, tasks }) => tasks.map((task) => ({ spec, task })));
  for (const { spec, task } of all) {
    const isBaseline = task.work?.kind?.$case === "baseline";
    const name = isBaseline ? "baselines" : taskName(task, spec).toLowerCase();
    const own = task.reused ? 0 : (task.result?.wallTimeS ?? 0);
    seconds.set(name, (seconds.get(name) ?? 0) + own);
  }
  return `Time: ${[...seconds].map(([name, total]) => `${name} ${formatDuration(total)}`).join(", ")}`;
}

/** " (full data reused)"; empty where everything was computed. */
function reusedText({ spec, tasks }: Experiment): string {
  const reused = tasks
    .filter((task) => task.reused)
    .map((task) => taskName(task, spec).toLowerCase());
  return reused.length === 0 ? "" : ` (${reused.join(", ")} reused)`;
}

function isImages({ spec }: Experiment): boolean {
  return spec?.dataset?.found?.image !== undefined;
}

function usageLines(artifactPath: string, experiment: Experiment): string[] {
  const path = JSON.stringify(artifactPath);
  const training =
    experiment.spec?.model?.init === Init.POOL
      ? [
          "  from stillhouse import load_artifact, open_pool",
          '  weights = open_pool(["the folder of a pretraining"]).held_out(seed)',
          `  learner = load_artifact(${path}).train(start=weights)`,
        ]
      : [
          "  from stillhouse import load_artifact",
          `  learner = load_artifact(${path}).train(init_seed=1)`,
        ];
  return [
    `Distilled data: ${artifactPath}`,
    "Use it in Python:",
    ...training,
    isImages(experiment) ? "  learner.predict(images)" : '  learner.predict(["some text"])',
  ];
}
