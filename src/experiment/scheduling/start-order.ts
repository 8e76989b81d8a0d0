import type { TurnTaking } from "./turn-taking.js";

/** The properties that determine the order of starts. */
export interface Startable {
  readonly experimentId: string;
  readonly owner: string;
  readonly priority: number;
  /** Position of its experiment among all, and of the task within its experiment. */
  readonly place: readonly [experiment: number, position: number];
}

/** Most starts that are computed ahead. */
const MOST_STARTS = 20_000;

/** Tasks that start one after the other, the next one known. */
interface Queue<Task> {
  next: Task;
  readonly rest: Iterator<Task>;
}

/**
 * The first task of each experiment in the order in which they start, were there room for all: by
 * priority, then by the turns of their owners, then by age.
 *
 * @param levels the queues of each priority, the highest first: tasks of one owner each, by age
 * @param turns is changed
 */
export function* startOrder<Task extends Startable>(
  levels: Iterable<Iterable<Iterable<Task>>>,
  turns: TurnTaking,
): Generator<Task, void> {
  const seen = new Set<string>();
  let numStarts = 0;
  for (const level of levels) {
    let queues = [...level].flatMap((tasks) => queueOf(tasks[Symbol.iterator]()));
    while (queues.length > 0 && numStarts++ < MOST_STARTS) {
      const first = queues.reduce((a, b) => (isBefore(b.next, a.next, turns) ? b : a));
      const { next: task } = first;
      turns.noteStart(task.owner);
      if (!seen.has(task.experimentId)) yield task;
      seen.add(task.experimentId);
      const { value, done } = first.rest.next();
      if (done) queues = queues.filter((queue) => queue !== first);
      else first.next = value;
    }
  }
}

function queueOf<Task>(tasks: Iterator<Task>): Queue<Task>[] {
  const { value, done } = tasks.next();
  return done ? [] : [{ next: value, rest: tasks }];
}

function isBefore(a: Startable, b: Startable, turns: TurnTaking): boolean {
  return (turns.compare(a.owner, b.owner) || byPlace(a, b)) < 0;
}

function byPlace(a: Startable, b: Startable): number {
  return a.place[0] - b.place[0] || a.place[1] - b.place[1];
}
