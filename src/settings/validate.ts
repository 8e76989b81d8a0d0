import { invalid } from "../errors.js";
import {
  type ExperimentSpec,
  Init,
  LearnLr,
  Protocol,
  Source,
} from "../generated/stillhouse/v1/spec.js";
import { type FieldValue, readField } from "./field-path.js";
import { checkOuterChoices } from "./outer-choices.js";
import { validateRobustness } from "./robustness.js";
import { fieldsOf, type Setting } from "./setting.js";
import { SETTINGS } from "./settings.js";
import { shown } from "./shown.js";
import { checkField } from "./values.js";

/**
 * Fields that no flag sets because the facts determine them; a resolved spec must have them too.
 */
const FOUND_TEXTS = [
  "dataset.fingerprint",
  "dataset.substitute_for",
  "model.fingerprint",
  "model.substitute_for",
];
const MAY_BE_EMPTY = [
  "name",
  "dataset.data_dir",
  "dataset.text_column",
  "dataset.label_column",
  "dataset.substitute_for",
  "model.substitute_for",
  "model.embeddings",
  "distilled.sample_classes",
  "objective.source_name",
];

/**
 * Checks that a resolved spec has every field, and each in its range.
 *
 * @throws StillhouseError INVALID that names the first field at fault.
 */
export function validateSpec(spec: ExperimentSpec): void {
  for (const setting of SETTINGS) {
    for (const path of fieldsOf(setting)) checkResolvedField(spec, setting, path);
  }
  for (const path of FOUND_TEXTS) requireText(path, readField(spec, path));
  requireSource("dataset.source", spec.dataset?.source);
  requireSource("model.source", spec.model?.source);
  checkCombinations(spec);
  if (spec.robustness) validateRobustness(spec.robustness);
}

/**
 * Checks that what a draft gives is in its range.
 *
 * @throws StillhouseError INVALID that names the first field at fault.
 */
export function validateDraft(draft: ExperimentSpec): void {
  for (const setting of SETTINGS) {
    for (const path of fieldsOf(setting)) {
      const value = givenValue(draft, setting, path);
      if (value === undefined) continue;
      if (areEpochsReplaced(path, value) && draft.outer?.steps !== undefined) continue;
      if (areClassesReplaced(draft, path, value)) continue;
      if (value === "" && MAY_BE_EMPTY.includes(path)) continue;
      checkField(setting, path, value);
    }
  }
}

/** The value of a setting's field where the draft gives one. */
export function givenValue(
  draft: ExperimentSpec,
  setting: Setting,
  path: string,
): FieldValue | undefined {
  const value = readField(draft, path);
  const isUnsetEnum = setting.kind === "choice" && String(value).endsWith("_UNSPECIFIED");
  return isUnsetEnum ? undefined : value;
}

function checkResolvedField(spec: ExperimentSpec, setting: Setting, path: string): void {
  const value = givenValue(spec, setting, path);
  if (value === undefined) throw notSet(path);
  if (areEpochsReplaced(path, value) || areClassesReplaced(spec, path, value)) return;
  if (value === "" && MAY_BE_EMPTY.includes(path)) return;
  checkField(setting, path, value);
}

/** Epochs are 0 where the number of steps was given instead. */
function areEpochsReplaced(path: string, value: FieldValue): boolean {
  return path === "outer.epochs" && value === 0;
}

/** Samples per class are 0 where their number in all was given instead. */
function areClassesReplaced(spec: ExperimentSpec, path: string, value: FieldValue): boolean {
  return path === "distilled.per_class" && value === 0 && (spec.distilled?.samples ?? 0) > 0;
}

function checkCombinations(spec: ExperimentSpec): void {
  const { model, distilled, inner, outer, evaluation, compute, dataset } = spec;
  if (compute?.device === "auto") {
    throw invalid("compute.device", "compute.device of a resolved spec must name a device");
  }
  if (dataset?.source === Source.LOCAL && !dataset.dataDir) throw notSet("dataset.data_dir");
  if (model?.embeddings && !model.embeddingsFound?.fingerprint) {
    throw notSet("model.embeddings_found.fingerprint");
  }
  if (distilled?.learnHiddenWeight && distilled.hiddenWeight === 0) {
    throw invalid(
      "distilled.hidden_weight",
      "--hidden-weight (distilled.hidden_weight) must be > 0 with --learn-hidden-weight, which " +
        "learns its logarithm, got 0",
    );
  }
  if (inner?.lr === 0 && inner.learnLr === LearnLr.NONE) {
    throw invalid(
      "inner.lr",
      "--inner-lr (inner.lr) must be > 0 with --learn-lr none: where no rate is learned none is " +
        "searched, got 0",
    );
  }
  if (model?.init === Init.FIXED && (evaluation?.inits ?? 0) > 1) {
    throw invalid(
      "evaluation.inits",
      `--inits (evaluation.inits) must be 0 or 1 with --init fixed, got ${shown(evaluation?.inits)}`,
    );
  }
  if (evaluation?.protocol === Protocol.VALIDATION && outer?.validations === 0) {
    throw invalid(
      "outer.validations",
      "--validations (outer.validations) must be ≥ 1 with --protocol validation, got 0",
    );
  }
  if (outer?.compile && outer.metaGradient !== "blockwise") {
    throw invalid(
      "outer.compile",
      "--compile (outer.compile) needs --meta-gradient blockwise, " +
        `got --meta-gradient ${outer.metaGradient}`,
    );
  }
  checkOuterChoices(spec);
}

function requireText(path: string, value: FieldValue | undefined): void {
  if (value === undefined || (value === "" && !MAY_BE_EMPTY.includes(path))) throw notSet(path);
}

function requireSource(path: string, source: Source | undefined): void {
  const known: (Source | undefined)[] = [Source.LOCAL, Source.HUB, Source.PACKAGED];
  if (!known.includes(source)) throw notSet(path);
}

function notSet(path: string) {
  return invalid(path, `${path} is not set; a resolved spec has every field set`);
}
