import type { ExperimentRecord } from "../experiment/domain/record.js";
import { type Experiment, State, type Task } from "../generated/stillhouse/v1/experiment.js";
import type { ExperimentSpec } from "../generated/stillhouse/v1/spec.js";
import { ACCURACY } from "../metric-names.js";
import { testedRows } from "../results/rows.js";
import { fieldText } from "../settings/field-text.js";
import { fieldsOf } from "../settings/setting.js";
import { SETTINGS } from "../settings/settings.js";
import type { Metric, Pair, RunStatus } from "./tracking-server.js";

const STATUSES: Partial<Record<State, RunStatus>> = {
  [State.QUEUED]: "SCHEDULED",
  [State.SUCCEEDED]: "FINISHED",
  [State.FAILED]: "FAILED",
  [State.CANCELLED]: "KILLED",
};

export function statusOf(state: State): RunStatus {
  return STATUSES[state] ?? "RUNNING";
}

/** The tag by which the run of an experiment is found again. */
export function identifyingTag(experimentId: string): Pair {
  return { key: "stillhouse.experiment", value: experimentId };
}

export function tagsOf({ id, owner, sweepId }: Experiment): Pair[] {
  return [
    identifyingTag(id),
    { key: "mlflow.source.name", value: "stillhouse" },
    ...(owner === "" ? [] : [{ key: "mlflow.user", value: owner }]),
    ...(sweepId === "" ? [] : [{ key: "stillhouse.sweep", value: sweepId }]),
  ];
}

/** Every setting that has a value, by its path in the spec. */
export function paramsOf(spec: ExperimentSpec): Pair[] {
  return SETTINGS.flatMap(fieldsOf)
    .filter((path) => path !== "name")
    .map((path) => ({ key: path, value: fieldText(spec, path) }))
    .filter(({ value }) => value !== "");
}

/** "distill" of "1a2b-distill". */
export function seriesPrefix({ id, experimentId }: Task): string {
  return id.slice(experimentId.length + 1);
}

/** Accuracies of test learners by their training data, and the ratio to full data. */
export function resultsOf({ experiment: { result, endTime } }: ExperimentRecord): Metric[] {
  const figures = testedRows(result).flatMap(({ id, kind, accuracy: { mean, std } }) => {
    // Variations have no fixed set of names.
    if (kind === "variation") return [];
    const prefix = kind === "distilled" ? "test/" : `test/${id}_`;
    return [
      { key: `${prefix}${ACCURACY}_mean`, value: mean },
      ...(std === null ? [] : [{ key: `${prefix}${ACCURACY}_std`, value: std }]),
    ];
  });
  const ratio = result?.ratioToFull;
  const timestamp = endTime?.getTime() ?? 0;
  return [...figures, ...(ratio ? [{ key: "test/ratio_to_full", value: ratio }] : [])].map(
    ({ key, value }) => ({ key, value, timestamp, step: 0 }),
  );
}
