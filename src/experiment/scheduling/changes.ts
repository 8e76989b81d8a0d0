import {
  type Event,
  type LogLine,
  State,
  type Task,
} from "../../generated/stillhouse/v1/experiment.js";
import { type ExperimentRecord, withTasks } from "../domain/record.js";
import { startable } from "../domain/startable.js";
import type { Change, ExperimentStore } from "../domain/storage-ports.js";

const EVENTS_PER_READ = 1_000;

/** The change that stores a new experiment. */
export function creationOf(record: ExperimentRecord, now: Date): Change {
  return { record, tasks: record.tasks, events: [experimentEvent(record, now)] };
}

/** The change to be stored; undefined where nothing has changed. */
export function changeOf(
  before: ExperimentRecord,
  after: ExperimentRecord,
  now: Date,
): Change | undefined {
  const tasks = after.tasks.filter((entry, position) => entry !== before.tasks[position]);
  const stateChanged = after.experiment.state !== before.experiment.state;
  if (tasks.length === 0 && !stateChanged && after.cancelRequested === before.cancelRequested) {
    return undefined;
  }
  const madeReady = tasks.some(({ task }) => task.state === State.SUCCEEDED)
    ? madeReadyBy(before, after)
    : [];
  const events = tasks.map(({ task }) => taskEvent(task, now, { $case: "task", value: task }));
  if (stateChanged) events.push(experimentEvent(after, now));
  return { record: after, tasks, madeReady, events };
}

/** Tasks that waited for others of their experiment and can start now. */
function madeReadyBy(before: ExperimentRecord, after: ExperimentRecord): string[] {
  const [couldStart, canStart] = [startable(before), startable(after)];
  return after.tasks
    .filter((entry, position) => entry === before.tasks[position])
    .filter(({ task }) => canStart(task) && !couldStart(task))
    .map(({ task }) => task.id);
}

/** Something that happened to a task; it gets its sequence when it is stored. */
export function taskEvent(task: Task, time: Date, kind: NonNullable<Event["kind"]>): Event {
  const { id: taskId, experimentId } = task;
  return { sequence: 0n, experimentId, taskId, time, kind };
}

/** Whether a line of a task is among the events that are stored. */
export function isLogged(
  store: Pick<ExperimentStore, "eventsAfter">,
  { id, experimentId }: Task,
  line: LogLine,
): boolean {
  const isIt = ({ taskId, kind }: Event) =>
    taskId === id && kind?.$case === "log" && isSameLine(kind.value, line);
  for (let after = 0n; ; ) {
    const events = store.eventsAfter(experimentId, after, EVENTS_PER_READ);
    if (events.some(isIt)) return true;
    const last = events.at(-1);
    if (last === undefined) return false;
    after = last.sequence;
  }
}

function experimentEvent(record: ExperimentRecord, time: Date): Event {
  return {
    sequence: 0n,
    experimentId: record.experiment.id,
    taskId: "",
    time,
    kind: { $case: "experiment", value: withTasks(record) },
  };
}

function isSameLine(a: LogLine, b: LogLine): boolean {
  return a.message === b.message && a.level === b.level && a.time?.getTime() === b.time?.getTime();
}
