import type { Heartbeat, Hello } from "../../generated/stillhouse/v1/worker.js";
import { deviceKind } from "./device-needs.js";

/** What a worker reports about its device with each heartbeat. */
export type DeviceLoad = Pick<Heartbeat, "memoryTotalBytes" | "memoryUsedBytes" | "utilisation">;

/** A device of a host, which several workers may share. */
export interface Place {
  /** The id of the machine, or the name of the host of a worker that tells none. */
  readonly machine: string;
  /** As a worker of the machine calls it, such as "cpu" or "cuda:0". */
  readonly device: string;
  /** What tells it from every other device, whatever its workers call it; empty: its name. */
  readonly id?: string;
}

/** A worker that can be reached, or a process that has not said hello yet. */
export interface RosterEntry {
  readonly workerId: string;
  /** Its process was started here. */
  readonly isLocal: boolean;
  /** Such as "cpu" or "cuda:0". */
  readonly device: string;
  /** Absent before it said hello. */
  readonly hello?: Hello;
  readonly load?: DeviceLoad;
  readonly state: "starting" | "idle" | "busy" | "leaving" | "settling";
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
  readonly #monotonicMs: () => number;

  constructor(monotonicMs: () => number) {
    this.#monotonicMs = monotonicMs;
  }

  addLaunched(workerId: string, device: string): void {
    const heardAtMs = this.#monotonicMs();
    this.#set({ ...NEW, workerId, isLocal: true, device, state: "starting", heardAtMs });
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
    const isLocal = known?.isLocal ?? false;
    const heardAtMs = this.#monotonicMs();
    this.#set({ ...NEW, workerId, isLocal, device, hello, state: "idle", heardAtMs });
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
    return this.workers()
      .filter((entry) => entry.isDraining && entry.state === "idle")
      .map((entry) => entry.workerId);
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

  /** It gets no further tasks; the entry of a local worker stays until its process has ended. */
  markLeaving(workerId: string): void {
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

  /** The workers with this kind of device that can have a task. */
  idleWorkers(kind: string): RosterEntry[] {
    return this.workers().filter(
      (entry) => this.#isFree(entry) && deviceKind(entry.device) === kind,
    );
  }

  /** A worker of this machine that has nothing to do and no device of this kind. */
  idleWorkerOfOtherKind(kind: string): string | undefined {
    const isIt = (entry: RosterEntry) =>
      this.#isFree(entry) && entry.isLocal && deviceKind(entry.device) !== kind;
    return this.workers().find(isIt)?.workerId;
  }

  numStarting(kind: string): number {
    const isStarting = ({ state, device }: RosterEntry) =>
      state === "starting" && deviceKind(device) === kind;
    return this.workers().filter(isStarting).length;
  }

  numLocal(): number {
    return this.workers().filter((entry) => entry.isLocal).length;
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

  #isFree(entry: RosterEntry): boolean {
    return entry.state === "idle" && !entry.isDraining && this.asideForMs(entry) === 0;
  }

  size(): number {
    return this.#entries.size;
  }

  /** Workers that were launched this long ago and have not said hello. */
  startingWorkers(durationMs: number): string[] {
    return this.#silent("starting", durationMs);
  }

  /** Workers without a task that have sent nothing for this long. */
  silentIdleWorkers(durationMs: number): string[] {
    return this.#silent("idle", durationMs);
  }

  /** Workers of this machine that should have ended this long ago. */
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

  #set(entry: RosterEntry): void {
    this.#entries.set(entry.workerId, entry);
  }

  #move(workerId: string, state: RosterEntry["state"]): void {
    const entry = this.#entries.get(workerId);
    if (entry) this.#set({ ...entry, state });
  }
}

/** The device of a worker; before its hello, that of a machine without a name. */
export function placeOf(entry: RosterEntry): Place {
  return placeNamed(entry, entry.hello?.device ?? entry.device);
}

/** The device that a worker calls by this name. */
export function placeNamed({ hello }: Pick<RosterEntry, "hello">, device: string): Place {
  const machine = hello?.machineId || hello?.host || "";
  return { machine, device, id: hello?.deviceIds[device] ?? "" };
}

/** Two processes may use the same id one after the other. */
function isSameProcess(known: Hello, hello: Hello): boolean {
  return known.host === hello.host && known.pid === hello.pid;
}

/** Without what else a heartbeat says. */
function loadOf({ memoryTotalBytes, memoryUsedBytes, utilisation }: DeviceLoad): DeviceLoad {
  return { memoryTotalBytes, memoryUsedBytes, utilisation };
}
