import type { Heartbeat, Hello } from "../../generated/stillhouse/v1/worker.js";
import type { LaunchShape } from "../domain/launcher-ports.js";
import { RosterIndex } from "./roster-index.js";
import type { Demand } from "./wanted-launches.js";

/** What a worker reports about its device with each heartbeat. */
export type DeviceLoad = Pick<Heartbeat, "memoryTotalBytes" | "memoryUsedBytes" | "utilisation">;

/** How a worker was started from here. */
export interface Launch {
  readonly pool: string;
  readonly shape: LaunchShape;
  /** Why it waits, in the words of the engine. */
  readonly reason: string;
  /** The machine that the engine gave it; empty before that. */
  readonly node: string;
}

/** A worker that can be reached, or one that has not said hello yet. */
export interface RosterEntry {
  readonly workerId: string;
  /** Absent where it joined by itself. */
  readonly launch?: Launch;
  /** Such as "cpu" or "cuda:0". */
  readonly device: string;
  /** Absent before it said hello. */
  readonly hello?: Hello;
  readonly load?: DeviceLoad;
  /** `pending` until the engine that is to start it says that it runs. */
  readonly state: "pending" | "starting" | "idle" | "busy" | "leaving" | "settling";
  /** It gets no further tasks, and leaves when its own has ended. */
  readonly isDraining: boolean;
  /** Until then it gets no tasks, on the monotonic clock; absent: it was not set aside. */
  readonly setAsideUntilMs?: number;
  /** How often it was set aside since its last success. */
  readonly timesSetAside: number;
  /** What failed on it since its last success, each once. */
  readonly failedWork: readonly FailedWork[];
  /** When it was last seen, or launched, or began to leave, on the monotonic clock. */
  readonly heardAtMs: number;
  /** When it came into its present state, on the monotonic clock. */
  readonly sinceMs: number;
}

/** Work that a worker was at, apart from which task of it. */
export interface FailedWork {
  readonly owner: string;
  /** Hash of the spec. */
  readonly spec: string;
}

const NEW = { isDraining: false, timesSetAside: 0, failedWork: [] } as const;
/** Most failed tasks that are remembered per worker. */
const MAX_FAILED_WORK = 100;

/** The workers and what they are doing. */
export class Roster {
  readonly #entries = new Map<string, RosterEntry>();
  readonly #index = new RosterIndex();
  readonly #monotonicMs: () => number;

  constructor(monotonicMs: () => number) {
    this.#monotonicMs = monotonicMs;
  }

  /** It was asked for, and waits until its engine says that it runs. */
  addLaunched(workerId: string, pool: string, shape: LaunchShape): void {
    const nowMs = this.#monotonicMs();
    const launch: Launch = { pool, shape, reason: "", node: "" };
    const { device } = shape;
    const times = { heardAtMs: nowMs, sinceMs: nowMs };
    this.#set({ ...NEW, workerId, launch, device, state: "pending", ...times });
  }

  /** What its engine says of it; a worker that runs has its time to start from now on. */
  noteLaunch(workerId: string, isRunning: boolean, said: Pick<Launch, "reason" | "node">): void {
    const entry = this.#entries.get(workerId);
    if (!entry?.launch) return;
    const { reason, node } = said;
    this.#set({ ...entry, launch: { ...entry.launch, reason, node } });
    if (isRunning && entry.state === "pending") this.#move(workerId, "starting", true);
  }

  /**
   * A worker said hello.
   *
   * @returns whether it is new: a worker that waits for its welcome says hello again
   */
  register(hello: Hello): boolean {
    const { workerId, device } = hello;
    const known = this.#entries.get(workerId);
    if (known?.hello && isSameProcess(known.hello, hello)) return false;
    const nowMs = this.#monotonicMs();
    const times = { heardAtMs: nowMs, sinceMs: nowMs };
    const launch = known?.launch && { launch: known.launch };
    this.#set({ ...NEW, workerId, ...launch, device, hello, state: "idle", ...times });
    return true;
  }

  /** Any message of a worker counts as a sign of life. @returns the worker, unless it is leaving */
  markHeard(workerId: string, said?: DeviceLoad): RosterEntry | undefined {
    const entry = this.#entries.get(workerId);
    if (!entry || entry.state === "leaving") return undefined;
    const load = said === undefined ? entry.load : loadOf(said);
    this.#set({ ...entry, load, heardAtMs: this.#monotonicMs() });
    return entry;
  }

  /** It gets no further tasks. */
  drain(workerId: string): void {
    const entry = this.#entries.get(workerId);
    if (entry) this.#set({ ...entry, isDraining: true });
  }

  /** Workers that have done what they had and should leave. */
  drainedWorkers(): string[] {
    return this.#index.inOrder("drained", "");
  }

  find(workerId: string): RosterEntry | undefined {
    return this.#entries.get(workerId);
  }

  has(workerId: string): boolean {
    return this.#entries.has(workerId);
  }

  /**
   * It still computes a task that is no longer its own: it gets none before it has dropped that.
   */
  markSettling(workerId: string): void {
    this.#move(workerId, "settling");
  }

  /** It reports that it computes nothing. @returns whether it was settling until now */
  markSettled(workerId: string): boolean {
    if (this.#entries.get(workerId)?.state !== "settling") return false;
    this.#move(workerId, "idle");
    return true;
  }

  markBusy(workerId: string): void {
    this.#move(workerId, "busy");
  }

  /** A worker that is on its way out does not become idle again. */
  markFree(workerId: string): void {
    if (this.#entries.get(workerId)?.state === "busy") this.#move(workerId, "idle");
  }

  /** It gets no further tasks; the entry of one that was launched here stays until it has ended. */
  markLeaving(workerId: string): void {
    const entry = this.#entries.get(workerId);
    if (!entry?.launch) this.remove(workerId);
    else if (entry.state !== "leaving") this.#move(workerId, "leaving", true);
  }

  remove(workerId: string): void {
    this.#index.change(this.#entries.get(workerId), undefined);
    this.#entries.delete(workerId);
  }

  /** Whether it was launched and has not said hello. */
  isStarting(workerId: string): boolean {
    const state = this.#entries.get(workerId)?.state;
    return state === "pending" || state === "starting";
  }

  /** The workers with this kind of device that can have a task. */
  idleWorkers(kind: string): RosterEntry[] {
    const idle = this.#found(this.#index.inOrder("idle", kind));
    return idle.filter((entry) => this.isFree(entry));
  }

  /** Those of a pool, whatever they do. */
  launchedBy(pool: string): RosterEntry[] {
    return this.#found(this.#index.of("launched", pool));
  }

  numLaunchedBy(pool: string): number {
    return this.#index.of("launched", pool).size;
  }

  /** Those of a pool that wait in the queue of its engine. */
  numPendingOf(pool: string): number {
    return this.#index.of("pending", pool).size;
  }

  /** Those of a pool that have no task: they wait, start, are idle or leave. */
  withoutTaskOf(pool: string): RosterEntry[] {
    return this.#found(this.#index.of("withoutTask", pool));
  }

  /** The shapes of those of a pool that can have a task, now or when they have started. */
  comingTo(pool: string): Demand[] {
    return this.#index.comingTo(pool).flatMap(([key, ids]) => {
      const shape = this.#shapeOf(ids);
      const aside = this.#found(this.#index.of("aside", key));
      const count = ids.size - aside.filter((entry) => !this.isFree(entry)).length;
      return shape && count > 0 ? [{ ...shape, count }] : [];
    });
  }

  /** One of a pool that is idle and has a shape which is not wanted. */
  idleOf(pool: string, isUnwanted: (shape: LaunchShape) => boolean): string | undefined {
    for (const [, ids] of this.#index.comingTo(pool)) {
      const shape = this.#shapeOf(ids);
      if (!shape || !isUnwanted(shape)) continue;
      for (const id of ids) {
        const entry = this.#entries.get(id);
        if (entry && this.isFree(entry)) return id;
      }
    }
    return undefined;
  }

  isFree(entry: RosterEntry): boolean {
    return entry.state === "idle" && !entry.isDraining && this.asideForMs(entry) === 0;
  }

  /** @returns all that failed on it since its last success */
  noteFailure(workerId: string, work: FailedWork): readonly FailedWork[] {
    const entry = this.#entries.get(workerId);
    if (!entry) return [];
    const { failedWork } = entry;
    const isKnown = failedWork.some(
      ({ owner, spec }) => owner === work.owner && spec === work.spec,
    );
    if (isKnown) return failedWork;
    const kept = [...failedWork.slice(-MAX_FAILED_WORK), work];
    this.#set({ ...entry, failedWork: kept });
    return kept;
  }

  noteSuccess(workerId: string): void {
    const entry = this.#entries.get(workerId);
    if (entry && entry.failedWork.length > 0)
      this.#set({ ...entry, timesSetAside: 0, failedWork: [] });
  }

  timesSetAside(workerId: string): number {
    return this.#entries.get(workerId)?.timesSetAside ?? 0;
  }

  /** Gives the worker no tasks for this long, or until it is restarted. */
  setAside(workerId: string, forMs: number): void {
    const entry = this.#entries.get(workerId);
    if (!entry) return;
    const timesSetAside = entry.timesSetAside + 1;
    this.#set({ ...entry, timesSetAside, setAsideUntilMs: this.#monotonicMs() + forMs });
  }

  /** For how long it still gets no tasks; 0 where it may have some. */
  asideForMs({ setAsideUntilMs = 0 }: RosterEntry): number {
    return Math.max(0, setAsideUntilMs - this.#monotonicMs());
  }

  size(): number {
    return this.#entries.size;
  }

  /** Workers that began to run this long ago and have not said hello. */
  startingWorkers(durationMs: number): string[] {
    return this.#silent("starting", durationMs);
  }

  /** Workers without a task, or with one that they are to drop, that sent nothing for this long. */
  silentIdleWorkers(durationMs: number): string[] {
    return [...this.#silent("idle", durationMs), ...this.#silent("settling", durationMs)];
  }

  /** Workers launched here that should have ended this long ago. */
  leavingWorkers(durationMs: number): string[] {
    return this.#silent("leaving", durationMs);
  }

  #silent(state: RosterEntry["state"], durationMs: number): string[] {
    const sinceMs = this.#monotonicMs() - durationMs;
    return this.workers()
      .filter((entry) => entry.state === state && entry.heardAtMs < sinceMs)
      .map((entry) => entry.workerId);
  }

  workers(): RosterEntry[] {
    return [...this.#entries.values()];
  }

  /** Of a group in which all have the same. */
  #shapeOf(workerIds: ReadonlySet<string>): LaunchShape | undefined {
    const [first] = workerIds;
    return first === undefined ? undefined : this.#entries.get(first)?.launch?.shape;
  }

  #found(workerIds: Iterable<string>): RosterEntry[] {
    return [...workerIds].flatMap((id) => this.#entries.get(id) ?? []);
  }

  #set(entry: RosterEntry): void {
    this.#index.change(this.#entries.get(entry.workerId), entry);
    this.#entries.set(entry.workerId, entry);
  }

  /** @param isHeard whether its time without a message begins anew */
  #move(workerId: string, state: RosterEntry["state"], isHeard = false): void {
    const entry = this.#entries.get(workerId);
    const nowMs = this.#monotonicMs();
    if (!entry) return;
    this.#set({ ...entry, state, sinceMs: nowMs, ...(isHeard ? { heardAtMs: nowMs } : {}) });
  }
}

/** Two processes may use the same id one after the other. */
function isSameProcess(known: Hello, hello: Hello): boolean {
  return known.host === hello.host && known.pid === hello.pid;
}

/** Without what else a heartbeat says. */
function loadOf({ memoryTotalBytes, memoryUsedBytes, utilisation }: DeviceLoad): DeviceLoad {
  return { memoryTotalBytes, memoryUsedBytes, utilisation };
}
