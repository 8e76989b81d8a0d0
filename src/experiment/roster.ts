/** A worker that can be reached, or a process that has not said hello yet. */
interface Entry {
  readonly workerId: string;
  /** Its process was started here. */
  readonly isLocal: boolean;
  /** Tells one process with this id from a later one; empty before it said hello. */
  readonly process: string;
  state: "starting" | "idle" | "busy" | "leaving" | "settling";
  /** When it was last heard, or launched, or began to leave, on the monotonic clock. */
  heardAtMs: number;
}

/** The workers and what they are doing. */
export class Roster {
  readonly #entries = new Map<string, Entry>();
  readonly #monotonicMs: () => number;

  constructor(monotonicMs: () => number) {
    this.#monotonicMs = monotonicMs;
  }

  launched(workerId: string): void {
    this.#set({
      workerId,
      isLocal: true,
      process: "",
      state: "starting",
      heardAtMs: this.#monotonicMs(),
    });
  }

  /**
   * A worker said hello.
   *
   * @param process differs between two processes that use the same id one after the other
   * @returns whether it is new: a worker that waits for its welcome says hello again
   */
  ready(workerId: string, process: string): boolean {
    const known = this.#entries.get(workerId);
    if (known?.process === process) return false;
    const isLocal = known?.isLocal ?? false;
    this.#set({ workerId, isLocal, process, state: "idle", heardAtMs: this.#monotonicMs() });
    return true;
  }

  heard(workerId: string): void {
    const entry = this.#entries.get(workerId);
    if (entry && entry.state !== "leaving") entry.heardAtMs = this.#monotonicMs();
  }

  has(workerId: string): boolean {
    return this.#entries.has(workerId);
  }

  /** It has a task in hand that is no longer its own: it gets none before it has put that down. */
  settling(workerId: string): void {
    this.#move(workerId, "settling");
  }

  /** It says that it has nothing in hand. @returns whether that is news */
  settled(workerId: string): boolean {
    if (this.#entries.get(workerId)?.state !== "settling") return false;
    this.#move(workerId, "idle");
    return true;
  }

  busy(workerId: string): void {
    this.#move(workerId, "busy");
  }

  /** A worker that is on its way out does not become idle again. */
  idle(workerId: string): void {
    if (this.#entries.get(workerId)?.state === "busy") this.#move(workerId, "idle");
  }

  /** It gets no more tasks; of a local one the entry stays until its process has ended. */
  leaving(workerId: string): void {
    const entry = this.#entries.get(workerId);
    if (!entry?.isLocal) this.#entries.delete(workerId);
    else if (entry.state !== "leaving") {
      this.#set({ ...entry, state: "leaving", heardAtMs: this.#monotonicMs() });
    }
  }

  remove(workerId: string): void {
    this.#entries.delete(workerId);
  }

  isStarting(workerId: string): boolean {
    return this.#entries.get(workerId)?.state === "starting";
  }

  nextIdle(): string | undefined {
    return this.#all().find((entry) => entry.state === "idle")?.workerId;
  }

  numStarting(): number {
    return this.#all().filter((entry) => entry.state === "starting").length;
  }

  numLocal(): number {
    return this.#all().filter((entry) => entry.isLocal).length;
  }

  size(): number {
    return this.#entries.size;
  }

  /** Workers that were launched but said no hello for this long. */
  startingFor(durationMs: number): string[] {
    return this.#silent("starting", durationMs);
  }

  /** Workers without a task that were not heard for this long. */
  idleFor(durationMs: number): string[] {
    return this.#silent("idle", durationMs);
  }

  /** Workers of this machine that should have ended this long ago. */
  leavingFor(durationMs: number): string[] {
    return this.#silent("leaving", durationMs);
  }

  #silent(state: Entry["state"], durationMs: number): string[] {
    const sinceMs = this.#monotonicMs() - durationMs;
    return this.#all()
      .filter((entry) => entry.state === state && entry.heardAtMs < sinceMs)
      .map((entry) => entry.workerId);
  }

  #all(): Entry[] {
    return [...this.#entries.values()];
  }

  #set(entry: Entry): void {
    this.#entries.set(entry.workerId, entry);
  }

  #move(workerId: string, state: Entry["state"]): void {
    const entry = this.#entries.get(workerId);
    if (entry) entry.state = state;
  }
}
