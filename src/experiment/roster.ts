/** A worker that can be reached, or a process that has not said hello yet. */
interface Entry {
  readonly workerId: string;
  /** Its process was started here. */
  readonly isLocal: boolean;
  state: "starting" | "idle" | "busy" | "leaving";
  /** When it was last heard or, before that, launched, on the monotonic clock. */
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
    this.#set({ workerId, isLocal: true, state: "starting", heardAtMs: this.#monotonicMs() });
  }

  /** A worker said hello: it has no task, whatever it had before. */
  ready(workerId: string): void {
    const isLocal = this.#entries.get(workerId)?.isLocal ?? false;
    this.#set({ workerId, isLocal, state: "idle", heardAtMs: this.#monotonicMs() });
  }

  heard(workerId: string): void {
    const entry = this.#entries.get(workerId);
    if (entry) entry.heardAtMs = this.#monotonicMs();
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
    if (this.#entries.get(workerId)?.isLocal) this.#move(workerId, "leaving");
    else this.#entries.delete(workerId);
  }

  remove(workerId: string): void {
    this.#entries.delete(workerId);
  }

  isStarting(workerId: string): boolean {
    return this.#entries.get(workerId)?.state === "starting";
  }

  isKnown(workerId: string): boolean {
    return this.#entries.has(workerId);
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
