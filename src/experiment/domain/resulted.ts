import { experimentResult } from "../../results/experiment-result.js";
import type { ExperimentRecord } from "./record.js";

/**
 * The record with the result that follows from its tasks. It is stored with the experiment, so that
 * lists, which return stored bytes unchanged, contain it too.
 *
 * @param before the earlier record with its result; only what has changed is computed again
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
