import { type ExperimentSpec, Preset } from "../generated/stillhouse/v1/spec.js";
import { writeDerived } from "./derived.js";
import { completedSpec } from "./earlier-spec.js";
import { followingField, LR_DECAY_STEPS, OUTER_STEPS } from "./epochs.js";
import type { Facts } from "./facts.js";
import { readField, writeField } from "./field-path.js";
import { isOfImages, writeImageValues } from "./images.js";
import { defaultMemoryMib } from "./memory.js";
import { isPooled, writeNoPool } from "./pool.js";
import { isKnownPreset } from "./preset-names.js";
import { presetFullEpochs, presetPooling, presetSpec } from "./presets.js";
import { writeReplayValues } from "./replay-values.js";
import { followingFields } from "./samples.js";
import { fieldsOf } from "./setting.js";
import { SETTINGS } from "./settings.js";
import { isOfWords, writeWordValues } from "./words.js";

/** Fields that identify an experiment and where it runs. */
export const IDENTIFYING_FIELDS = [
  "name",
  "preset",
  "dataset.name",
  "dataset.data_dir",
  "dataset.text_column",
  "dataset.label_column",
  "model.name",
  "model.embeddings",
  "compute.device",
  "objective.source_name",
];

/**
 * The values of the preset of a resolved spec, and those that follow from the spec's settings.
 *
 * @param facts absent: what follows from the device alone is not set, and memory, pooling and the
 *   epochs of full data, which follow from device, encoder and data set, are the spec's
 */
export function presetBeside(spec: ExperimentSpec, facts?: Facts): ExperimentSpec {
  const known = isKnownPreset(spec.preset) ? spec.preset : Preset.CPU;
  const preset = presetSpec(known, facts?.device, isOfImages(spec) || isOfWords(spec));
  if (spec.replay) writeReplayValues(preset, spec.replay.benchmark, isOfImages(spec));
  if (isOfImages(spec)) writeImageValues(preset);
  if (isOfWords(spec)) writeWordValues(preset);
  if (!isPooled(spec)) writeNoPool(preset);
  writeDerived(preset, spec, facts?.model.staged);
  const memoryMib = facts ? defaultMemoryMib(spec, facts) : spec.compute?.memoryMib;
  if (memoryMib !== undefined) writeField(preset, "compute.memory_mib", memoryMib);
  const pooling = facts ? presetPooling(preset, facts.model) : spec.model?.pooling;
  if (pooling !== undefined) writeField(preset, "model.pooling", pooling);
  if (preset.baseline?.fullEpochs === undefined) {
    const epochs = facts
      ? presetFullEpochs(spec, facts.dataset.train_rows)
      : spec.baseline?.fullEpochs;
    if (epochs !== undefined) writeField(preset, "baseline.full_epochs", epochs);
  }
  return preset;
}

/**
 * Paths of the fields, except identifying ones, in which a spec differs from another one. Of epochs
 * and steps, only the chosen one counts, since the other follows from it.
 */
export function changedFields(spec: ExperimentSpec, reference: ExperimentSpec): string[] {
  const following = [OUTER_STEPS, LR_DECAY_STEPS].map((paths) => followingField(spec, paths));
  const complete = completedSpec(spec);
  const ignored = new Set([...IDENTIFYING_FIELDS, ...following, ...followingFields(complete)]);
  return SETTINGS.flatMap(fieldsOf).filter(
    (path) => !ignored.has(path) && readField(complete, path) !== readField(reference, path),
  );
}
