import { invalid } from "../errors.js";
import { type ExperimentSpec, Init, Objective, Source } from "../generated/stillhouse/v1/spec.js";
import { type Facts, SOURCES } from "./facts.js";
import { readField, writeField } from "./field-path.js";
import { isKnownPreset } from "./preset-names.js";
import { presetSpec } from "./presets.js";
import { settingOf } from "./settings.js";

type Dataset = Facts["dataset"];

/** What the objectives other than the basic one are called in sentences. */
const OTHERS = "adapt or attack";

/** Whether learners are trained on another data set first, whose facts are then needed. */
export function isAdaptation({ objective }: Pick<ExperimentSpec, "objective">): boolean {
  return objective?.kind === Objective.ADAPT;
}

/** Whether the distilled data is an attack on those who train on it. */
export function isAttack({ objective }: Pick<ExperimentSpec, "objective">): boolean {
  return objective?.kind === Objective.ATTACK;
}

/**
 * A draft that says nothing of its objective with that of its preset, so that the source of an
 * adaptation is known before the draft is resolved.
 */
export function withPresetObjective(draft: ExperimentSpec): ExperimentSpec {
  const given = draft.objective?.kind ?? Objective.UNSPECIFIED;
  if (given !== Objective.UNSPECIFIED || !isKnownPreset(draft.preset)) return draft;
  const { objective } = presetSpec(draft.preset);
  if (objective === undefined || objective.kind === Objective.BASIC) return draft;
  const { kind, sourceName, attackClass, targetClass } = objective;
  const own = kind === Objective.ADAPT ? { kind, sourceName } : { kind, attackClass, targetClass };
  return { ...draft, objective: { source: Source.UNSPECIFIED, ...own, ...givenFields(draft) } };
}

/** What a draft gives of its objective but the kind. */
function givenFields({ objective }: ExperimentSpec) {
  const fields = Object.entries(objective ?? {});
  return Object.fromEntries(fields.filter(([f, value]) => f !== "kind" && value !== undefined));
}

/**
 * The draft with the source of its objective in the place of the data set, so that it can be found
 * and read like one.
 */
export function sourceDraft(draft: ExperimentSpec): ExperimentSpec {
  const { sourceName, sourceDir, source = Source.UNSPECIFIED } = draft.objective ?? {};
  const { dataset } = draft;
  if (dataset === undefined) return draft;
  const { textColumn: _, labelColumn: __, ...reading } = dataset;
  const dataDir = sourceDir || dataset.dataDir;
  const own = { ...reading, name: sourceName, dataDir, source, fingerprint: undefined };
  return { ...draft, dataset: own as typeof dataset };
}

/**
 * Makes objective, source and start of the learners agree, and fills in what was found.
 *
 * @param source what was found for the source, where the objective has one
 * @throws StillhouseError INVALID that names the first field at fault
 */
export function fillInObjective(
  spec: ExperimentSpec,
  draft: ExperimentSpec,
  { dataset }: Facts,
  source: Dataset | undefined,
): void {
  refuseOfOthers(spec, draft);
  if (isAdaptation(spec)) fillInSource(spec, draft, dataset, source);
  if (isAttack(spec)) checkClasses(spec, draft, dataset);
  if (isAdaptation(spec) || isAttack(spec)) fillInStart(spec, draft);
}

/** Fields that only one objective has, with the value that says nothing. */
const OWN_FIELDS = [
  { path: "objective.source_name", word: "adapt", neutral: "", isOwn: isAdaptation },
  { path: "objective.attack_class", word: "attack", neutral: 0, isOwn: isAttack },
  { path: "objective.target_class", word: "attack", neutral: 0, isOwn: isAttack },
] as const;

function refuseOfOthers(spec: ExperimentSpec, draft: ExperimentSpec): void {
  for (const { path, word, neutral, isOwn } of OWN_FIELDS) {
    if (isOwn(spec)) continue;
    const given = readField(draft, path);
    if (given !== undefined && given !== neutral) {
      throw invalid(path, `${flagOf(path)} needs --objective ${word}, got ${given}`);
    }
    writeField(spec, path, neutral);
  }
  if (isAdaptation(spec) || spec.objective === undefined) return;
  spec.objective = {
    ...spec.objective,
    source: Source.UNSPECIFIED,
    sourceDir: "",
    sourceFingerprint: "",
  };
}

function fillInSource(
  spec: ExperimentSpec,
  draft: ExperimentSpec,
  dataset: Dataset,
  source: Dataset | undefined,
): void {
  const path = "objective.source_name";
  if (source === undefined || spec.objective === undefined) {
    throw invalid(path, `${flagOf(path)} must name the data set to adapt from, got nothing`);
  }
  const wanted = draft.objective?.sourceFingerprint;
  if (wanted && wanted !== source.fingerprint) {
    throw invalid(
      "objective.source_fingerprint",
      `objective.source_fingerprint must be that of the data set found, ${source.fingerprint}, got ${wanted}`,
    );
  }
  checkSource(dataset, source);
  spec.objective = {
    ...spec.objective,
    sourceName: source.name,
    source: SOURCES[source.source],
    sourceDir: source.source === "local" ? source.data_dir : "",
    sourceFingerprint: source.fingerprint,
  };
}

function checkSource(dataset: Dataset, source: Dataset): void {
  const path = "objective.source_name";
  const kindOf = ({ image }: Dataset) => (image ? "images" : "texts");
  const [wanted, got] = [kindOf(dataset), kindOf(source)];
  if (wanted !== got) {
    throw invalid(
      path,
      `${flagOf(path)} must hold ${wanted}, as ${dataset.name} does; ${source.name} holds ${got}`,
    );
  }
  const [numWanted, numGot] = [dataset.class_names.length, source.class_names.length];
  if (numWanted !== numGot) {
    throw invalid(
      path,
      `${flagOf(path)} must have the ${numWanted} classes of ${dataset.name}, in the same order; ` +
        `${source.name} has ${numGot}`,
    );
  }
  if (dataset.fingerprint === source.fingerprint) {
    throw invalid(
      path,
      `${flagOf(path)} must be another data set than ${dataset.name}; for learners that are ` +
        "pretrained on the same one use --init pool",
    );
  }
}

function checkClasses(spec: ExperimentSpec, draft: ExperimentSpec, dataset: Dataset): void {
  const paths = ["objective.attack_class", "objective.target_class"] as const;
  const most = dataset.class_names.length - 1;
  for (const path of paths) {
    const given = readField(draft, path);
    if (typeof given === "number" && given <= most) continue;
    throw invalid(
      path,
      `${flagOf(path)} must be the number of a class of ${dataset.name}, 0 to ${most}, got ${given ?? "nothing"}`,
    );
  }
  const { attackClass, targetClass } = spec.objective ?? {};
  if (attackClass !== targetClass) return;
  throw invalid(
    paths[1],
    `${flagOf(paths[1])} must be another class than --attack-class, got ${targetClass} for both`,
  );
}

/** Both are about learners that can something already. */
function fillInStart(spec: ExperimentSpec, draft: ExperimentSpec): void {
  const given = draft.model?.init ?? Init.UNSPECIFIED;
  if (given !== Init.UNSPECIFIED && given !== Init.POOL) {
    throw invalid(
      "model.init",
      `--init (model.init) must be pool with --objective ${OTHERS}: its learners are trained before`,
    );
  }
  writeField(spec, "model.init", Init.POOL);
}

function flagOf(path: string): string {
  return `--${settingOf(path).flag} (${path})`;
}
