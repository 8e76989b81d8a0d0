import { deviceKind } from "./device-needs.js";
import { Groups } from "./groups.js";
import type { RosterEntry } from "./roster.js";

/** In which group of a view a worker is; undefined: in none. */
type View = (entry: RosterEntry) => string | undefined;

/** Every way in which workers are looked for, so that no pass over all of them is needed. */
export const VIEWS = {
  /** By pool: those that were launched in it, whatever they do. */
  launched: ({ launch }) => launch?.pool,
  /** By pool: those that wait, start, are idle or leave. */
  withoutTask: ({ launch, state }) =>
    state === "busy" || state === "settling" ? undefined : launch?.pool,
  /** By pool: those that wait in the queue of its engine. */
  pending: ({ launch, state }) => (state === "pending" ? launch?.pool : undefined),
  /** By kind of device: those that can have a task, unless they are set aside. */
  idle: (entry) => (isAtHand(entry) ? deviceKind(entry.device) : undefined),
  /** All in one: those that are to leave and have nothing to do. */
  drained: ({ state, isDraining }) => (state === "idle" && isDraining ? "" : undefined),
  /** By pool and shape: those that can have a task, now or when they have started. */
  coming: (entry) => {
    const { launch, state } = entry;
    if (!launch) return undefined;
    const comes = state === "pending" || state === "starting" || isAtHand(entry);
    return comes ? shapeKey(launch) : undefined;
  },
  /** The same, of those that were ever set aside. */
  aside: (entry) =>
    entry.launch && isAtHand(entry) && entry.setAsideUntilMs !== undefined
      ? shapeKey(entry.launch)
      : undefined,
} as const satisfies Record<string, View>;

type ViewName = keyof typeof VIEWS;
const NAMES = Object.keys(VIEWS) as ViewName[];

/** The ids of the workers in the groups of each view, kept up to date with every change of one. */
export class RosterIndex {
  readonly #groups = Object.fromEntries(NAMES.map((name) => [name, new Groups()])) as Record<
    ViewName,
    Groups<string, string>
  >;
  /** Of every worker the number of those that came before it. */
  readonly #places = new Map<string, number>();
  #numPlaces = 0;

  /** A worker came, changed or went. */
  change(before: RosterEntry | undefined, after: RosterEntry | undefined): void {
    const entry = after ?? before;
    if (!entry || (before && after && isAlike(before, after))) return;
    const { workerId } = entry;
    if (!before) this.#places.set(workerId, this.#numPlaces++);
    if (!after) this.#places.delete(workerId);
    for (const name of NAMES) {
      const from = before && VIEWS[name](before);
      const to = after && VIEWS[name](after);
      if (from === to) continue;
      if (from !== undefined) this.#groups[name].remove(from, workerId);
      if (to !== undefined) this.#groups[name].add(to, workerId);
    }
  }

  of(name: ViewName, key: string): ReadonlySet<string> {
    return this.#groups[name].of(key);
  }

  /** The same in the order in which the workers came, so that those that came first get more. */
  inOrder(name: ViewName, key: string): string[] {
    const placeOf = (workerId: string) => this.#places.get(workerId) ?? 0;
    return [...this.of(name, key)].sort((a, b) => placeOf(a) - placeOf(b));
  }

  /** The groups of `coming` of a pool, a key each. */
  comingTo(pool: string): [string, ReadonlySet<string>][] {
    const ofAll = [...this.#groups.coming.entries()];
    return ofAll.filter(([key]) => key.startsWith(`${pool} `));
  }
}

function isAtHand({ state, isDraining }: RosterEntry): boolean {
  return state === "idle" && !isDraining;
}

/** The name of a pool has no space. */
function shapeKey({ pool, shape }: NonNullable<RosterEntry["launch"]>): string {
  const { device, numDevices, memoryBytes } = shape;
  return `${pool} ${device} ${numDevices} ${memoryBytes}`;
}

/** Most changes are signs of life, which no view sees. */
function isAlike(a: RosterEntry, b: RosterEntry): boolean {
  return (
    a.state === b.state &&
    a.isDraining === b.isDraining &&
    a.device === b.device &&
    a.launch === b.launch &&
    a.setAsideUntilMs === b.setAsideUntilMs
  );
}
