import type { ExperimentRecord } from "../experiment/domain/record.js";
import { TASK_KINDS, taskKind } from "../experiment/domain/task-kind.js";
import { type Experiment, State, type Task } from "../generated/stillhouse/v1/experiment.js";
import type { ExperimentSpec } from "../generated/stillhouse/v1/spec.js";
import { fieldText } from "../settings/field-text.js";
import { fieldsOf } from "../settings/setting.js";
import { SETTINGS } from "../settings/settings.js";
import { summarise } from "../statistics.js";
import type { Metric, Pair, RunStatus } from "./tracking-server.js";

const STATUSES: Partial<Record<State, RunStatus>> = {
  [State.QUEUED]: "SCHEDULED",
  [State.SUCCEEDED]: "FINISHED",
  [State.FAILED]: "FAILED",
  [State.CANCELLED]: "KILLED",
};

/** Of distilled data, and of what it is measured against. */
const KINDS = TASK_KINDS.filter((kind) => kind !== "variation");

export function statusOf(state: State): RunStatus {
  return STATUSES[state] ?? "RUNNING";
}

/** By this tag the run of an experiment is found again. */
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

/** What test learners reach on each kind of data, and the ratio to full data. */
export function resultsOf({ tasks, experiment }: ExperimentRecord): Metric[] {
  const figures = KINDS.flatMap((kind) => {
    const ofKind = tasks.filter(({ task }) => taskKind(task) === kind);
    const values = ofKind.flatMap(({ task }) => accuraciesOf(task));
    if (values.length === 0) return [];
    const prefix = kind === "evaluate" ? "test/" : `test/${kind}_`;
    const { mean, std } = summarise(values);
    return [
      [`${prefix}accuracy_mean`, mean] as const,
      ...(std === null ? [] : [[`${prefix}accuracy_std`, std] as const]),
    ];
  });
  const means = new Map<string, number>(figures);
  const ratio =
    (means.get("test/accuracy_mean") ?? 0) / (means.get("test/full_accuracy_mean") ?? 0);
  if (Number.isFinite(ratio) && ratio > 0) means.set("test/ratio_to_full", ratio);
  const timestamp = experiment.endTime?.getTime() ?? 0;
  return [...means].map(([key, value]) => ({ key, value, timestamp, step: 0 }));
}

function accuraciesOf({ result }: Task): number[] {
  const kind = result?.kind;
  return kind?.$case === "learners" ? kind.value.inits.map(({ accuracy }) => accuracy) : [];
}
