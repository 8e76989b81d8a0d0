import { BadRows, type ExperimentSpec } from "../generated/stillhouse/v1/spec.js";
import { badRowsOf } from "./derived.js";

/** The share of test before it could be chosen. */
const FORMER_TEST_FRACTION = 0.2;

/**
 * A resolved spec with a value in every field that a worker reads. One that an earlier version
 * stored lacks the fields that have been added since; they get what they stood for then.
 */
export function completedSpec(spec: ExperimentSpec): ExperimentSpec {
  const { dataset } = spec;
  if (dataset === undefined) return spec;
  const { badRows, testFraction = FORMER_TEST_FRACTION, source } = dataset;
  const chosen = badRows === BadRows.UNSPECIFIED ? badRowsOf(source) : badRows;
  return { ...spec, dataset: { ...dataset, badRows: chosen, testFraction } };
}
