import { Description } from "../generated/stillhouse/v1/service.js";
import type { ExperimentSpec } from "../generated/stillhouse/v1/spec.js";
import { artifactBytes, largeArtifactNotice } from "./artifact-size.js";
import { changedFields, presetBeside } from "./changed.js";
import type { Facts } from "./facts.js";

/**
 * The facts about a resolved spec that a person wants to see before it runs.
 *
 * @param notices sentences that came up while it was resolved.
 */
export function describeSpec(
  spec: ExperimentSpec,
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
    changedFields: changedFields(spec, presetBeside(spec, facts)),
  });
}
