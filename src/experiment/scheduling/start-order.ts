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

/**
 * The experiments in the order in which the first task of each starts, were there room for all: by
 * priority, then by the turns of their owners, then by age.
 *
 * @param turns is changed
 */
export function startOrder(tasks: readonly Startable[], turns: TurnTaking): string[] {
  const order = new Set<string>();
  let numStarts = 0;
  for (const priority of [...new Set(tasks.map((task) => task.priority))].sort((a, b) => b - a)) {
    const queues = byOwner(tasks.filter((task) => task.priority === priority));
    while (queues.length > 0 && numStarts++ < MOST_STARTS) {
      const next = queues.reduce((a, b) => (isBefore(b, a, turns) ? b : a));
      const [task] = next;
      next.shift();
      if (next.length === 0) queues.splice(queues.indexOf(next), 1);
      if (task === undefined) continue;
      turns.noteStart(task.owner);
      order.add(task.experimentId);
    }
  }
  return [...order];
}

function byOwner(tasks: readonly Startable[]): Startable[][] {
  const queues = new Map<string, Startable[]>();
  for (const task of [...tasks].sort(byPlace)) {
    const queue = queues.get(task.owner);
    if (queue) queue.push(task);
    else queues.set(task.owner, [task]);
  }
  return [...queues.values()];
}

function isBefore([a]: Startable[], [b]: Startable[], turns: TurnTaking): boolean {
  if (a === undefined || b === undefined) return a !== undefined;
  return (turns.compare(a.owner, b.owner) || byPlace(a, b)) < 0;
}

function byPlace(a: Startable, b: Startable): number {
  return a.place[0] - b.place[0] || a.place[1] - b.place[1];
}
