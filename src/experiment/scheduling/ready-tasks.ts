import TinyQueue from "tinyqueue";
import { type Experiment, State, type Task } from "../../generated/stillhouse/v1/experiment.js";
import { MIB } from "../../settings/memory.js";
import {
  type ExperimentRecord,
  isDistill,
  isEvaluate,
  mustStop,
  type TaskRecord,
} from "../domain/record.js";
import { isEnded } from "../domain/states.js";
import { type Room, UNBOUNDED } from "./device-memory.js";
import { type DeviceNeeds, deviceKind, deviceNeeds } from "./device-needs.js";
import { startOrder } from "./start-order.js";
import { SweepLimits } from "./sweep-limits.js";
import { TurnTaking } from "./turn-taking.js";

/** A task that a worker could start. */
export interface ReadyTask extends DeviceNeeds {
  readonly taskId: string;
  readonly experimentId: string;
  /** What it is given of the memory of each of its devices. */
  readonly memoryBytes: number;
}

interface Entry extends ReadyTask {
  readonly cacheKey: string;
  readonly owner: string;
  readonly priority: number;
  readonly numLost: number;
  /** Where its experiment stands among all, and it in its experiment. */
  readonly place: readonly [experiment: number, position: number];
  /**
   * It runs; it could; it could but for one with its cache key that runs; it waits after a lost
   * attempt; it is none of these any more.
   */
  status: "running" | "ready" | "parked" | "held" | "gone";
  /** Since when devices that could hold it are too full, on the monotonic clock. */
  tooLargeSinceMs: number | undefined;
}

/**
 * What is ready of one kind of device, priority, owner and about the same memory; what has another
 * status is skipped.
 */
interface Lane {
  readonly owner: string;
  readonly queue: TinyQueue<Entry>;
}

/** By priority, then by owner and size. */
type LanesOfKind = Map<number, Map<string, Lane>>;

const MAX_BACK_OFF_MS = 60_000;
/** For so long smaller tasks go before one that finds no room; then the room is kept for it. */
const PATIENCE_MS = 60_000;
/** Sizes of memory between one and its double that have a lane each. */
const LANES_A_DOUBLING = 4;

/**
 * The tasks that a worker could start now, kept up with every change of an experiment, so that a
 * choice costs the same however many there are.
 *
 * An evaluation waits for the distillation of its experiment, and an experiment for its turn in a
 * sweep with a limit. While a task runs, others with its
 * cache key wait for its result. A task whose attempt was lost waits for a while, longer each time.
 * Of the rest, a higher priority goes first; then the owner of whom the fewest tasks run, then the
 * one whose turn was longest ago; then what came first. What the device has no room for lets
 * smaller tasks go before it, for a while.
 */
export class ReadyTasks {
  readonly #monotonicMs: () => number;
  readonly #backOffMs: number;
  readonly #entries = new Map<string, Entry>();
  readonly #lanes = new Map<string, LanesOfKind>();
  readonly #numReady = new Map<string, number>();
  readonly #parked = new Map<string, Set<Entry>>();
  readonly #runningKeys = new Map<string, number>();
  readonly #held = new TinyQueue<{ entry: Entry; untilMs: number }>(
    [],
    (a, b) => a.untilMs - b.untilMs,
  );
  readonly #places = new Map<string, number>();
  readonly #turns = new TurnTaking();
  readonly #sweeps: SweepLimits;
  #numPlaces = 0;

  /**
   * @param backOffMs wait after the first lost attempt; it doubles with each further one
   * @param sweepLimit how many unfinished experiments of a sweep may run; 0 for all
   */
  constructor(
    monotonicMs: () => number,
    backOffMs: number,
    sweepLimit: (sweepId: string) => number,
  ) {
    this.#monotonicMs = monotonicMs;
    this.#backOffMs = backOffMs;
    this.#sweeps = new SweepLimits(sweepLimit);
  }

  /** Call after every change of an experiment. */
  update(record: ExperimentRecord): void {
    const { id, state } = record.experiment;
    const released = this.#sweeps.update(record);
    if (isEnded(state)) {
      for (const { task } of record.tasks) this.#forget(task.id);
      this.#places.delete(id);
    } else {
      if (!this.#places.has(id)) this.#places.set(id, this.#numPlaces++);
      this.#updateTasks(record);
    }
    for (const next of released) this.#updateTasks(next);
  }

  /** A task that cannot be started is not tried again before its experiment changes. */
  putAside(taskId: string): void {
    this.#forget(taskId);
  }

  /** Call when the limit of a sweep has changed. */
  sweepLimitChanged(sweepId: string): void {
    for (const record of this.#sweeps.changed(sweepId)) this.#updateTasks(record);
  }

  /**
   * The task that a worker with this kind of device should start; it stays until it runs.
   *
   * @param roomFor what there is for a task where the worker would compute it
   */
  next(kind: string, roomFor: (task: ReadyTask) => Room = () => UNBOUNDED): ReadyTask | undefined {
    const nowMs = this.#monotonicMs();
    for (const entry of this.#heads(kind)) {
      const { freeBytes, capacityBytes } = roomFor(entry);
      if (entry.memoryBytes <= freeBytes) return entry;
      if (entry.memoryBytes > capacityBytes) continue;
      entry.tooLargeSinceMs ??= nowMs;
      if (nowMs - entry.tooLargeSinceMs >= PATIENCE_MS) return undefined;
    }
    return undefined;
  }

  /**
   * The tasks that need more memory than any worker with this kind of device has; of several alike
   * the first.
   *
   * @param mostBytesFor what a worker has for a task at most
   */
  tooLarge(kind: string, mostBytesFor: (task: ReadyTask) => number): ReadyTask[] {
    return [...this.#heads(kind)].filter((task) => task.memoryBytes > mostBytesFor(task));
  }

  /** How many are ready for each kind of device. */
  counts(): ReadonlyMap<string, number> {
    this.#releaseHeld();
    return this.#numReady;
  }

  /** All that are ready, in no order. */
  all(): ReadyTask[] {
    this.#releaseHeld();
    return [...this.#entries.values()].filter(({ status }) => status === "ready");
  }

  /** Experiments with a ready task, in the order in which the first of each would start. */
  startOrder(): string[] {
    this.#releaseHeld();
    const ready = [...this.#entries.values()].filter(({ status }) => status === "ready");
    return startOrder(ready, this.#turns.copy());
  }

  #updateTasks(record: ExperimentRecord): void {
    const mayStart = this.#sweeps.mayRun(record) ? startable(record) : () => false;
    record.tasks.forEach((entry, position) => {
      this.#updateTask(record, entry, position, mayStart(entry.task));
    });
  }

  #updateTask(
    record: ExperimentRecord,
    { task, numLost }: TaskRecord,
    position: number,
    mayStart: boolean,
  ): void {
    const before = this.#entries.get(task.id);
    if (task.state === State.RUNNING) {
      if (before?.status === "running") return;
      this.#forget(task.id);
      this.#run(this.#entryOf(record, task, numLost, position));
    } else if (mayStart) {
      if (before && before.status !== "running") return;
      this.#forget(task.id);
      const entry = this.#entryOf(record, task, numLost, position);
      if (before && numLost > before.numLost) this.#hold(entry);
      else this.#enqueue(entry);
    } else {
      this.#forget(task.id);
    }
  }

  #entryOf(record: ExperimentRecord, task: Task, numLost: number, position: number): Entry {
    const { id: experimentId, spec, owner, priority } = record.experiment;
    const entry: Entry = {
      taskId: task.id,
      experimentId,
      ...deviceNeeds(spec, isDistill(task)),
      memoryBytes: memoryBytesOf(record.experiment),
      cacheKey: task.cacheKey,
      owner,
      priority,
      numLost,
      place: [this.#places.get(experimentId) ?? 0, position],
      status: "gone",
      tooLargeSinceMs: undefined,
    };
    this.#entries.set(task.id, entry);
    return entry;
  }

  #run(entry: Entry): void {
    entry.status = "running";
    this.#turns.started(entry.owner);
    const { cacheKey } = entry;
    if (cacheKey !== "") this.#runningKeys.set(cacheKey, this.#numRunningOf(cacheKey) + 1);
  }

  #enqueue(entry: Entry): void {
    entry.status = "ready";
    const kind = deviceKind(entry.device);
    this.#numReady.set(kind, (this.#numReady.get(kind) ?? 0) + 1);
    const byPriority = made(this.#lanes, kind, (): LanesOfKind => new Map());
    const lanes = made(byPriority, entry.priority, () => new Map<string, Lane>());
    const { owner } = entry;
    const key = JSON.stringify([owner, sizeOf(entry)]);
    made(lanes, key, () => ({ owner, queue: new TinyQueue<Entry>([], byPlace) })).queue.push(entry);
  }

  #hold(entry: Entry): void {
    entry.status = "held";
    const backOffMs = Math.min(MAX_BACK_OFF_MS, this.#backOffMs * 2 ** (entry.numLost - 1));
    this.#held.push({ entry, untilMs: this.#monotonicMs() + backOffMs });
  }

  #releaseHeld(): void {
    const nowMs = this.#monotonicMs();
    for (
      let first = this.#held.peek();
      first && first.untilMs <= nowMs;
      first = this.#held.peek()
    ) {
      this.#held.pop();
      if (first.entry.status === "held") this.#enqueue(first.entry);
    }
  }

  #forget(taskId: string): void {
    const entry = this.#entries.get(taskId);
    if (!entry) return;
    const { status, cacheKey } = entry;
    this.#entries.delete(taskId);
    entry.status = "gone";
    if (status === "ready") this.#leaveReady(entry);
    if (status === "parked") this.#parked.get(cacheKey)?.delete(entry);
    if (status !== "running") return;
    this.#turns.ended(entry.owner);
    if (cacheKey !== "") this.#releaseKey(cacheKey);
  }

  #leaveReady({ device }: Entry): void {
    const kind = deviceKind(device);
    this.#numReady.set(kind, (this.#numReady.get(kind) ?? 0) - 1);
  }

  #releaseKey(cacheKey: string): void {
    const numRunning = this.#numRunningOf(cacheKey) - 1;
    if (numRunning > 0) {
      this.#runningKeys.set(cacheKey, numRunning);
      return;
    }
    this.#runningKeys.delete(cacheKey);
    const parked = this.#parked.get(cacheKey) ?? [];
    this.#parked.delete(cacheKey);
    for (const entry of parked) this.#enqueue(entry);
  }

  #numRunningOf(cacheKey: string): number {
    return this.#runningKeys.get(cacheKey) ?? 0;
  }

  /** The first of each lane, in the order in which they should start. */
  *#heads(kind: string): Generator<Entry> {
    this.#releaseHeld();
    const byPriority: LanesOfKind = this.#lanes.get(kind) ?? new Map();
    for (const priority of [...byPriority.keys()].sort((a, b) => b - a)) {
      const heads = this.#headsOf(byPriority.get(priority) ?? new Map());
      if (heads.length === 0) byPriority.delete(priority);
      yield* heads.sort((a, b) => this.#turns.compare(a.owner, b.owner) || byPlace(a, b));
    }
  }

  #headsOf(lanes: Map<string, Lane>): Entry[] {
    const heads: Entry[] = [];
    for (const [key, lane] of lanes) {
      const head = this.#firstOf(lane);
      if (head) heads.push(head);
      else lanes.delete(key);
    }
    return heads;
  }

  #firstOf({ queue }: Lane): Entry | undefined {
    for (let head = queue.peek(); head; head = queue.peek()) {
      if (head.status === "ready" && !this.#runningKeys.has(head.cacheKey)) return head;
      queue.pop();
      if (head.status === "ready") this.#park(head);
    }
    return undefined;
  }

  #park(entry: Entry): void {
    entry.status = "parked";
    this.#leaveReady(entry);
    made(this.#parked, entry.cacheKey, () => new Set<Entry>()).add(entry);
  }
}

/** What each task of an experiment is given of its device. */
export function memoryBytesOf({ spec }: Experiment): number {
  return (spec?.compute?.memoryMib ?? 0) * MIB;
}

/** Which tasks of an experiment could start; what they have in common is looked at once. */
function startable(record: ExperimentRecord): (task: Task) => boolean {
  if (mustStop(record)) return () => false;
  const isDistilled = record.tasks.every(
    ({ task }) => !isDistill(task) || task.state === State.SUCCEEDED,
  );
  return (task) => task.state === State.QUEUED && (isDistilled || !isEvaluate(task));
}

/** The same for what needs about the same memory: few, however many tasks there are. */
function sizeOf({ memoryBytes }: ReadyTask): number {
  return memoryBytes === 0 ? 0 : Math.ceil(LANES_A_DOUBLING * Math.log2(memoryBytes));
}

function byPlace(a: Entry, b: Entry): number {
  return a.place[0] - b.place[0] || a.place[1] - b.place[1];
}

function made<Key, Value>(map: Map<Key, Value>, key: Key, make: () => Value): Value {
  const value = map.get(key) ?? make();
  map.set(key, value);
  return value;
}
