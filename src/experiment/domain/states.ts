import { internal } from "../../errors.js";
import { State } from "../../generated/stillhouse/v1/experiment.js";

/**
 * The states that may follow each state of a task. An experiment's state follows from its tasks.
 */
const TASK_TRANSITIONS: Readonly<Record<State, readonly State[]>> = {
  [State.UNSPECIFIED]: [],
  // Succeeded at once when another task with the same cache key has the result.
  [State.QUEUED]: [State.RUNNING, State.SUCCEEDED, State.FAILED, State.CANCELLED],
  // Back to the queue when its worker was lost or the control plane stopped.
  [State.RUNNING]: [State.QUEUED, State.SUCCEEDED, State.FAILED, State.CANCELLED],
  [State.SUCCEEDED]: [],
  // Back to the queue when the experiment is resumed.
  [State.FAILED]: [State.QUEUED],
  [State.CANCELLED]: [State.QUEUED],
  [State.UNRECOGNIZED]: [],
};

/** Throws INTERNAL when a task may not go from one state to the other. */
export function assertMayMove(taskId: string, from: State, to: State): void {
  if (TASK_TRANSITIONS[from].includes(to)) return;
  throw internal(`task ${taskId} cannot go from ${from} to ${to}`);
}

/** Whether a task or an experiment has ended: only a person can change its state. */
export function isEnded(state: State): boolean {
  return state === State.SUCCEEDED || state === State.FAILED || state === State.CANCELLED;
}
