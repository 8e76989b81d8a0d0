import { State, type Task } from "../generated/stillhouse/v1/experiment.js";
import { type ResultRow, ResultState } from "../generated/stillhouse/v1/result.js";
import { numLearnersOf } from "./num-learners.js";

/**
 * What a row says of its tasks, whatever they have found.
 *
 * @param numTested tasks whose learners have been tested
 */
export function rowFrame(tasks: readonly Task[], numTested: number): Partial<ResultRow> {
  const failed = tasks.find(({ state }) => state === State.FAILED);
  return {
    state: stateOf(tasks, numTested),
    taskIds: tasks.map((task) => task.id),
    failure: failed?.failure?.message ?? "",
    reused: tasks.every(({ reused }) => reused),
    numLearners: tasks.reduce((sum, { work }) => sum + numLearnersOf(work), 0),
    wallTimeS: tasks.reduce((sum, { result }) => sum + (result?.wallTimeS ?? 0), 0),
    joules: joulesOf(tasks),
  };
}

/** Undefined where it is not known of every task. */
function joulesOf(tasks: readonly Task[]): number | undefined {
  const known = tasks.flatMap(({ result }) => result?.joules ?? []);
  return known.length === tasks.length ? known.reduce((sum, each) => sum + each, 0) : undefined;
}

function stateOf(tasks: readonly Task[], numTested: number): ResultState {
  const has = (state: State) => tasks.some((task) => task.state === state);
  if (has(State.FAILED)) return ResultState.FAILED;
  if (has(State.CANCELLED)) return ResultState.CANCELLED;
  if (numTested === tasks.length) return ResultState.COMPLETE;
  return numTested === 0 ? ResultState.PENDING : ResultState.PARTIAL;
}
