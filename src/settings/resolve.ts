import { invalid } from "../errors.js";
import type { Description } from "../generated/stillhouse/v1/service.js";
import {
  type DatasetFound,
  type ExperimentSpec,
  FloatType,
  Pooling,
  Preset,
} from "../generated/stillhouse/v1/spec.js";
import { derivedValues } from "./derived.js";
import { describeSpec } from "./describe.js";
import { fillInSteps, LR_DECAY_STEPS, OUTER_STEPS } from "./epochs.js";
import { type Facts, SOURCES } from "./facts.js";
import { writeField } from "./field-path.js";
import { checksOfImages, fitToModality, isOfImages } from "./images.js";
import { checkLearner, fitToFacts } from "./limits.js";
import { defaultMemoryMib } from "./memory.js";
import { fillInObjective, withPresetObjective } from "./objective.js";
import { checkPool, fillInPool } from "./pool.js";
import { isKnownPreset, type KnownPreset, presetName, subjectOfPreset } from "./preset-names.js";
import { presetFullEpochs, presetPooling, presetSpec } from "./presets.js";
import { distilledRows, resolveReplay, validateReplay } from "./replay.js";
import { writeReplayValues } from "./replay-values.js";
import { resolveRobustness } from "./robustness.js";
import { checkSamples, fillInPasses, fillInSamples } from "./samples.js";
import { fieldsOf } from "./setting.js";
import { SETTINGS, settingOf } from "./settings.js";
import { checkTeacher } from "./teacher.js";
import { givenValue, validateDraft, validateSpec } from "./validate.js";
import { fillInEmbeddings, fitToWords } from "./words.js";

export interface ResolvedExperiment {
  spec: ExperimentSpec;
  description: Description;
}

/**
 * Fills in a draft: its own values come first, then those of its preset, then the facts.
 *
 * Resolving a resolved spec gives the same spec, as long as the facts are the same.
 *
 * @param given the draft; unset fields are undefined or `_UNSPECIFIED`.
 * @param facts what the Python side found for the draft's data set, model and device.
 * @param transfers what was found for each encoder of `robustness.transfer_to`.
 * @param source what was found for the source of the objective; absent where it has none.
 * @throws StillhouseError INVALID that names the first field at fault.
 */
export function resolveSpec(
  given: ExperimentSpec,
  facts: Facts,
  transfers: readonly Facts["model"][] = [],
  source?: Facts["dataset"],
): ResolvedExperiment {
  validateDraft(given);
  const draft = withPresetObjective(given);
  const notices = [...facts.notices];
  const preset = choosePreset(draft, facts, notices);
  const ofNetwork = Boolean(facts.dataset.image) || facts.model.embeddings != null;
  const spec = presetSpec(preset, facts.device, ofNetwork);
  const { replay } = draft;
  if (replay) writeReplayValues(spec, replay.benchmark, Boolean(facts.dataset.image));
  overlay(spec, draft);
  fillInFacts(spec, draft, facts);
  fillInEmbeddings(spec, draft, facts);
  fillInPooling(spec, draft, facts);
  fillInObjective(spec, draft, facts, source);
  if (spec.baseline?.fullEpochs === undefined) {
    const numRows = facts.dataset.train_rows;
    writeField(spec, "baseline.full_epochs", presetFullEpochs(spec, numRows));
  }
  fitToModality(spec, draft, facts, notices);
  fitToWords(spec, draft, facts, notices);
  fillInInnerPrecision(spec, draft);
  fillInPool(spec, draft);
  spec.replay = resolveReplay(spec, draft, facts);
  if (spec.replay) spec.seed = spec.replay.seeds[0];
  const rows = distilledRows(spec, facts.dataset.train_rows);
  fillInSamples(spec, draft);
  fillInPasses(spec, draft);
  fillInSteps(spec, draft, OUTER_STEPS, rows);
  fitToFacts(spec, draft, facts, notices);
  checkSamples(spec, facts.dataset.class_names.length);
  fillInDerived(spec, draft, facts);
  fillInSteps(spec, draft, LR_DECAY_STEPS, rows);
  if (draft.compute?.memoryMib === undefined) {
    writeField(spec, "compute.memory_mib", defaultMemoryMib(spec, facts));
  }
  spec.robustness = askedRobustness(spec, draft);
  spec.robustness = resolveRobustness(spec, facts.model, transfers, spec.distilled?.seqLen ?? 0);
  checkPool(spec);
  checkTeacher(spec, draft);
  validateReplay(spec, facts.dataset.class_names.length);
  validateSpec(spec);
  checkLearner(spec, facts);
  return { spec, description: describeSpec(spec, facts, notices) };
}

function askedRobustness(spec: ExperimentSpec, { robustness }: ExperimentSpec) {
  if (robustness === undefined || !isOfImages(spec)) return robustness;
  return { ...robustness, checks: checksOfImages(robustness.checks) };
}

function choosePreset(draft: ExperimentSpec, facts: Facts, notices: string[]): KnownPreset {
  if (isKnownPreset(draft.preset)) {
    const held = facts.dataset.image ? "images" : "texts";
    const wanted = subjectOfPreset(draft.preset)?.holds ?? held;
    if (wanted === held) return draft.preset;
    throw invalid(
      "preset",
      `--preset (preset) ${presetName(draft.preset)} is for ${wanted}, and ${facts.dataset.name} holds ${held}`,
    );
  }
  if (facts.device.cuda) {
    notices.push("Preset study was chosen: none was named, and the device is a CUDA device.");
    return Preset.STUDY;
  }
  notices.push("Preset cpu was chosen: none was named, and the device is not a CUDA device.");
  return Preset.CPU;
}

/** Sets the values that the draft gives. */
export function overlay(spec: ExperimentSpec, draft: ExperimentSpec): void {
  for (const setting of SETTINGS) {
    for (const path of fieldsOf(setting)) {
      const value = givenValue(draft, setting, path);
      if (value === undefined) continue;
      // -0 and 0 are the same setting and must have the same hash.
      writeField(spec, path, value === 0 ? 0 : value);
    }
  }
}

function fillInFacts(spec: ExperimentSpec, draft: ExperimentSpec, facts: Facts): void {
  const { dataset, model, device } = facts;
  refuseOther("dataset", draft.dataset?.fingerprint, dataset.fingerprint);
  if (draft.model?.fingerprint !== model.weights_fingerprint) {
    refuseOther("model", draft.model?.fingerprint, model.fingerprint);
  }
  for (const [group, found] of [["dataset", dataset] as const, ["model", model] as const]) {
    writeField(spec, `${group}.name`, found.name);
    writeField(spec, `${group}.source`, SOURCES[found.source]);
    writeField(spec, `${group}.fingerprint`, found.fingerprint);
    writeField(spec, `${group}.substitute_for`, found.substitute_for);
  }
  writeField(spec, "dataset.data_dir", dataset.source === "local" ? dataset.data_dir : "");
  if (spec.dataset) spec.dataset.found = foundOf(dataset);
  writeField(spec, "compute.device", device.device);
}

/**
 * A draft that names the very model comes from a resolved spec: where that has no pooling, it is
 * from before it could be chosen.
 */
function fillInPooling(spec: ExperimentSpec, draft: ExperimentSpec, { model }: Facts): void {
  const given = draft.model?.pooling ?? Pooling.UNSPECIFIED;
  if (given !== Pooling.UNSPECIFIED) return;
  const isFormer = Boolean(draft.model?.fingerprint);
  writeField(spec, "model.pooling", isFormer ? Pooling.FIRST : presetPooling(spec, model));
}

function foundOf(dataset: Facts["dataset"]): DatasetFound {
  return {
    files: dataset.files,
    textColumns: dataset.text_columns,
    labelColumn: dataset.label_column,
    classNames: dataset.class_names,
    skipped: dataset.skipped,
    testFrom: dataset.test_from,
    testRowsInTrain: dataset.test_rows_in_train,
    image: dataset.image ?? undefined,
  };
}

/** A draft with a fingerprint wants exactly that data, or that model. */
function refuseOther(group: "dataset" | "model", wanted: string | undefined, found: string): void {
  if (!wanted || wanted === found) return;
  const path = `${group}.fingerprint`;
  throw invalid(path, `${path} must be that of the ${group} found, ${found}, got ${wanted}`);
}

function fillInDerived(spec: ExperimentSpec, draft: ExperimentSpec, { model }: Facts): void {
  for (const path of derivedValues(spec, model.staged).keys()) {
    const given = givenValue(draft, settingOf(path), path) ?? "";
    // Anew for each, since one may follow from another.
    const value = derivedValues(spec, model.staged).get(path);
    if (given === "" && value !== undefined) writeField(spec, path, value);
  }
}

/** `--precision fp32` alone means fp32 everywhere. */
function fillInInnerPrecision(spec: ExperimentSpec, draft: ExperimentSpec): void {
  const given = draft.inner?.precision ?? FloatType.UNSPECIFIED;
  if (given !== FloatType.UNSPECIFIED) return;
  if (spec.compute?.precision === FloatType.BF16) return;
  writeField(spec, "inner.precision", FloatType.FP32);
}
