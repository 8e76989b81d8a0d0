import { experimentResult } from "../../results/experiment-result.js";
import type { ExperimentRecord } from "./record.js";

/**
 * The record with the result that follows from its tasks. It is stored with the experiment, so that
 * lists, which hand on what is stored, have it too.
 *
 * @param before the record as it was with its result; only what has changed is computed anew
 */
export function withResult(record: ExperimentRecord, before?: ExperimentRecord): ExperimentRecord {
  const { experiment, tasks } = record;
  if (before?.tasks === tasks && experiment.result !== undefined) return record;
  const result = experimentResult(
    experiment.spec,
    tasks.map(({ task }) => task),
  );
  return { ...record, experiment: { ...experiment, result } };
}
