import type { RosterEntry } from "./roster.js";

type Indexed = Pick<RosterEntry, "workerId" | "launch" | "state">;

/** The launched workers by their pool, so that no pass over all workers is needed for one of them. */
export class PoolIndex {
  readonly #all = new Map<string, Set<string>>();
  readonly #withoutTask = new Map<string, Set<string>>();

  set({ workerId, launch, state }: Indexed): void {
    if (!launch) return;
    setOf(this.#all, launch.pool).add(workerId);
    const hasTask = state === "busy" || state === "settling";
    const others = setOf(this.#withoutTask, launch.pool);
    if (hasTask) others.delete(workerId);
    else others.add(workerId);
  }

  remove({ workerId, launch }: Indexed): void {
    if (!launch) return;
    setOf(this.#all, launch.pool).delete(workerId);
    setOf(this.#withoutTask, launch.pool).delete(workerId);
  }

  all(pool: string): ReadonlySet<string> {
    return setOf(this.#all, pool);
  }

  withoutTask(pool: string): ReadonlySet<string> {
    return setOf(this.#withoutTask, pool);
  }
}

function setOf(sets: Map<string, Set<string>>, key: string): Set<string> {
  const found = sets.get(key) ?? new Set<string>();
  sets.set(key, found);
  return found;
}
