import { Description } from "../generated/stillhouse/v1/service.js";
import type { ExperimentSpec } from "../generated/stillhouse/v1/spec.js";
import { artifactBytes, largeArtifactNotice } from "./artifact-size.js";
import type { Facts } from "./facts.js";
import { readField } from "./field-path.js";
import { fieldsOf } from "./setting.js";
import { SETTINGS } from "./settings.js";

/** Fields that say what an experiment is about; they are shown by themselves, not as changes. */
const IDENTIFYING_FIELDS = [
  "name",
  "preset",
  "dataset.name",
  "dataset.data_dir",
  "model.name",
  "compute.device",
];

/**
 * What a person wants to know of a resolved spec before it runs.
 *
 * @param reference the values of its preset.
 * @param notices sentences that came up while it was resolved.
 */
export function describeSpec(
  spec: ExperimentSpec,
  reference: ExperimentSpec,
  facts: Facts,
  notices: readonly string[],
): Description {
  const { dataset, model, device } = facts;
  const bytes = artifactBytes(spec, facts);
  const large = largeArtifactNotice(spec, bytes);
  return Description.fromPartial({
    classNames: dataset.class_names,
    trainRows: dataset.train_rows,
    validationRows: dataset.validation_rows,
    testRows: dataset.test_rows,
    parameterCount: BigInt(model.parameter_count),
    numLayers: model.num_layers,
    numHeads: model.num_heads,
    width: model.width,
    deviceName: device.name,
    artifactBytes: BigInt(bytes),
    notices: large === undefined ? [...notices] : [...notices, large],
    changedFields: changedFields(spec, reference),
  });
}

/** Of epochs and steps only the one that was chosen counts: the other follows from it. */
function changedFields(spec: ExperimentSpec, reference: ExperimentSpec): string[] {
  const derived = spec.outer?.epochs ? "outer.steps" : "outer.epochs";
  const ignored = new Set([...IDENTIFYING_FIELDS, derived]);
  return SETTINGS.flatMap(fieldsOf).filter(
    (path) => !ignored.has(path) && readField(spec, path) !== readField(reference, path),
  );
}
