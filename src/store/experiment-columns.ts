import { computeNeeds } from "../experiment/domain/compute-needs.js";
import {
  distilledRow,
  type ExperimentRecord,
  storedArtifact,
} from "../experiment/domain/record.js";
import { isEnded } from "../experiment/domain/states.js";
import { taskKind } from "../experiment/domain/task-kind.js";
import {
  Experiment,
  type State,
  stateFromJSON,
  type Task,
} from "../generated/stillhouse/v1/experiment.js";
import type { SqlValue } from "./sql-database.js";

/** The column's value for an experiment without an accuracy, which sorts after all others. */
const NO_ACCURACY = -1;

/** The columns of an experiment, except its id. */
export function experimentColumns(record: ExperimentRecord): Record<string, SqlValue> {
  const { experiment, cancelRequested } = record;
  const { id, spec, state, owner, priority, sweepId } = experiment;
  return {
    state,
    is_ended: Number(isEnded(state)),
    cancel_requested: Number(cancelRequested),
    owner,
    priority,
    sweep_id: sweepId,
    dataset: spec?.dataset?.name ?? "",
    model: spec?.model?.name ?? "",
    search_text: `${id}\n${spec?.name ?? ""}`.toLowerCase(),
    accuracy: distilledRow(experiment)?.accuracy?.mean ?? NO_ACCURACY,
    message: Experiment.encode(experiment).finish(),
    ...deviceColumns(experiment),
  };
}

/** What the tasks of an experiment compute on. */
export function deviceColumns({ spec }: Experiment) {
  const { device, numDevices, memoryMib } = computeNeeds(spec);
  return { device, num_devices: numDevices, memory_mib: memoryMib };
}

/** @param canStart of the experiment of the task */
export function taskColumns(task: Task, canStart: (task: Task) => boolean) {
  return { kind: taskKind(task), is_ready: Number(canStart(task)) };
}

/** A state from its column. */
export function stateOf(column: string): State {
  return stateFromJSON(column);
}

/** Id of the artifact that a task has handed in, or reuses from another task. */
export function artifactIdOf({ result }: Task): string | null {
  return storedArtifact(result)?.id ?? null;
}
