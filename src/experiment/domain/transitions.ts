import { FailureKind } from "../../errors.js";
import { State, type Task, type TaskResult } from "../../generated/stillhouse/v1/experiment.js";
import { Failure } from "../../generated/stillhouse/v1/failure.js";
import {
  artifactOf,
  type ExperimentRecord,
  foundLr,
  mustStop,
  type TaskRecord,
  takesLr,
  waitsInVain,
} from "./record.js";
import { assertMayMove, isEnded } from "./states.js";

/** A task whose attempts were lost this often is not tried again. */
const MAX_LOST_ATTEMPTS = 3;

/** Gives a queued task to a worker, or the leader of a team, under the next attempt number. */
export function leaseTask(
  record: ExperimentRecord,
  taskId: string,
  now: Date,
  workerId = "",
  memberIds: string[] = [],
): ExperimentRecord {
  return moveTask(record, taskId, now, ({ task, numLost }) => ({
    numLost,
    task: {
      ...task,
      state: State.RUNNING,
      attempt: task.attempt + 1,
      workerId,
      memberIds,
      work: workToRun(record, task),
      startTime: task.startTime ?? now,
      attemptStartTime: now,
      failure: undefined,
    },
  }));
}

export function completeTask(
  record: ExperimentRecord,
  taskId: string,
  result: TaskResult,
  now: Date,
): ExperimentRecord {
  return moveTask(record, taskId, now, ({ task }) => ({
    numLost: 0,
    task: { ...attemptEnded(task, now), state: State.SUCCEEDED, result, endTime: now },
  }));
}

/**
 * Gives queued tasks the results of others with the same cache keys.
 *
 * @param results by the ids of the tasks that get them
 */
export function reuseResults(
  record: ExperimentRecord,
  results: ReadonlyMap<string, TaskResult>,
  now: Date,
): ExperimentRecord {
  return moveTasks(record, now, ({ task }) => {
    const result = results.get(task.id);
    if (result === undefined) return undefined;
    const startTime = task.startTime ?? now;
    const state = State.SUCCEEDED;
    return { numLost: 0, task: { ...task, state, result, reused: true, startTime, endTime: now } };
  });
}

/** Ends a task, or queues it again when its failure says that another attempt may succeed. */
export function failTask(
  record: ExperimentRecord,
  taskId: string,
  failure: Failure,
  now: Date,
): ExperimentRecord {
  return moveTask(record, taskId, now, ({ task, numLost }) => {
    if (!failure.retryable || numLost + 1 >= MAX_LOST_ATTEMPTS) {
      const ended = attemptEnded(task, now);
      return { numLost, task: { ...ended, state: State.FAILED, failure, endTime: now } };
    }
    return { numLost: numLost + 1, task: stopped(record, task, now) };
  });
}

/**
 * Takes a task from a lost worker.
 *
 * @param reason what happened to the worker, as it ends "the worker was lost: …"
 * @param workerLog last lines of the worker's log; empty when there is none
 */
export function loseTask(
  record: ExperimentRecord,
  taskId: string,
  reason: string,
  workerLog: string,
  now: Date,
): ExperimentRecord {
  if (mustStop(record)) return stopTask(record, taskId, now);
  const failure = Failure.fromPartial({
    kind: FailureKind.WORKER_LOST,
    message: `the task was given up after ${MAX_LOST_ATTEMPTS} attempts; in the last one the worker was lost: ${reason}`,
    retryable: true,
    traceback: workerLog,
  });
  return failTask(record, taskId, failure, now);
}

/** A running task stopped after a checkpoint; it continues later if the experiment may run on. */
export function stopTask(record: ExperimentRecord, taskId: string, now: Date): ExperimentRecord {
  return moveTask(record, taskId, now, ({ task, numLost }) => ({
    numLost,
    task: stopped(record, task, now),
  }));
}

/** Cancels what is queued; what runs is cancelled when it has stopped. */
export function cancelExperiment(record: ExperimentRecord, now: Date): ExperimentRecord {
  return settle({ ...record, cancelRequested: true }, now);
}

/** Queues the cancelled and failed tasks; results stay. */
export function resumeExperiment(record: ExperimentRecord, now: Date): ExperimentRecord {
  const tasks = record.tasks.map((entry) =>
    entry.task.state === State.FAILED || entry.task.state === State.CANCELLED
      ? {
          numLost: 0,
          task: {
            ...entry.task,
            state: State.QUEUED,
            failure: undefined,
            endTime: undefined,
          },
        }
      : entry,
  );
  return settle({ ...record, tasks, cancelRequested: false }, now);
}

/** As `resumeExperiment`, but what earlier attempts left behind counts no more. */
export function retryExperiment(record: ExperimentRecord, now: Date): ExperimentRecord {
  const tasks = record.tasks.map(({ task, numLost }) => {
    const begunAnewAt = task.state === State.SUCCEEDED ? task.begunAnewAt : task.attempt + 1;
    return { numLost, task: { ...task, begunAnewAt } };
  });
  return resumeExperiment({ ...record, tasks }, now);
}

/**
 * Queues tasks again that ran when the control plane ended.
 *
 * @param runsOn whether the worker of a task may still be computing
 */
export function requeueRunning(
  record: ExperimentRecord,
  now: Date,
  runsOn: (task: Task) => boolean = () => false,
): ExperimentRecord {
  return record.tasks
    .filter(({ task }) => task.state === State.RUNNING && !runsOn(task))
    .reduce((result, { task }) => stopTask(forgetAttempt(result, task.id), task.id, now), record);
}

/** Nobody knows when an attempt ended that nobody watched, so the time until now does not count. */
function forgetAttempt(record: ExperimentRecord, taskId: string): ExperimentRecord {
  const tasks = record.tasks.map((entry) =>
    entry.task.id === taskId
      ? { ...entry, task: { ...entry.task, attemptStartTime: undefined } }
      : entry,
  );
  return { ...record, tasks };
}

function stopped(record: ExperimentRecord, task: Task, now: Date): Task {
  const ended = attemptEnded(task, now);
  return mustStop(record)
    ? { ...ended, state: State.CANCELLED, endTime: now }
    : { ...ended, state: State.QUEUED };
}

/** The task without a running attempt; the attempt's time is added to that of earlier ones. */
function attemptEnded(task: Task, now: Date): Task {
  const { attemptStartTime, ranS } = task;
  if (attemptStartTime === undefined) return task;
  const seconds = Math.max(0, now.getTime() - attemptStartTime.getTime()) / 1_000;
  return { ...task, attemptStartTime: undefined, ranS: ranS + seconds };
}

/**
 * An evaluation is of what was distilled, here or earlier, or of the artifact that it was planned
 * for. A training that uses the rate of another one gets it.
 */
function workToRun(record: ExperimentRecord, task: Task): Task["work"] {
  if (task.work?.kind?.$case === "baseline" && takesLr(task)) {
    const value = { ...task.work.kind.value, lr: foundLr(record) ?? 0 };
    return { kind: { $case: "baseline", value } };
  }
  if (task.work?.kind?.$case !== "evaluate") return task.work;
  const { value: planned } = task.work.kind;
  const value = { ...planned, artifactId: artifactOf(record) ?? planned.artifactId };
  return { kind: { $case: "evaluate", value } };
}

function moveTask(
  record: ExperimentRecord,
  taskId: string,
  now: Date,
  change: (entry: TaskRecord) => TaskRecord,
): ExperimentRecord {
  return moveTasks(record, now, (entry) => (entry.task.id === taskId ? change(entry) : undefined));
}

/** @param change what becomes of a task; undefined where nothing does */
function moveTasks(
  record: ExperimentRecord,
  now: Date,
  change: (entry: TaskRecord) => TaskRecord | undefined,
): ExperimentRecord {
  const tasks = record.tasks.map((entry) => {
    const next = change(entry);
    if (next === undefined) return entry;
    assertMayMove(entry.task.id, entry.task.state, next.task.state);
    return next;
  });
  return settle({ ...record, tasks }, now);
}

/**
 * Cancels what waits in an experiment that must stop and what waits in vain, and derives the
 * experiment's own state.
 */
function settle(record: ExperimentRecord, now: Date): ExperimentRecord {
  const isPointless = mustStop(record) ? () => true : waitsInVain(record);
  const tasks = record.tasks.map((entry) =>
    entry.task.state === State.QUEUED && isPointless(entry.task)
      ? { ...entry, task: { ...entry.task, state: State.CANCELLED, endTime: now } }
      : entry,
  );
  const state = experimentState(tasks, record.cancelRequested);
  return {
    ...record,
    tasks,
    experiment: {
      ...record.experiment,
      state,
      endTime: isEnded(state) ? (record.experiment.endTime ?? now) : undefined,
      failure: state === State.FAILED ? firstFailure(tasks) : undefined,
    },
  };
}

function experimentState(tasks: readonly TaskRecord[], cancelRequested: boolean): State {
  const states = tasks.map(({ task }) => task.state);
  if (states.every((state) => state === State.SUCCEEDED)) return State.SUCCEEDED;
  if (states.every(isEnded)) {
    const failed = !cancelRequested && states.includes(State.FAILED);
    return failed ? State.FAILED : State.CANCELLED;
  }
  const begun = states.includes(State.RUNNING) || states.includes(State.SUCCEEDED);
  return begun ? State.RUNNING : State.QUEUED;
}

function firstFailure(tasks: readonly TaskRecord[]): Failure | undefined {
  const failed = tasks.filter(({ task }) => task.state === State.FAILED);
  const time = ({ task }: TaskRecord) => task.endTime?.getTime() ?? 0;
  return failed.sort((a, b) => time(a) - time(b))[0]?.task.failure;
}
