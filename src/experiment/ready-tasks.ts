import TinyQueue from "tinyqueue";
import { State, type Task } from "../generated/stillhouse/v1/experiment.js";
import { deviceKind } from "./device-kind.js";
import {
  type ExperimentRecord,
  isDistill,
  isEvaluate,
  mustStop,
  type TaskRecord,
} from "./record.js";
import { isEnded } from "./states.js";
import { TurnTaking } from "./turn-taking.js";

/** A task that a worker could start. */
export interface ReadyTask {
  readonly taskId: string;
  readonly experimentId: string;
  /** Device that its spec names. */
  readonly device: string;
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
}

/** What is ready of one kind of device, priority and owner; what has another status is skipped. */
type Lane = TinyQueue<Entry>;

const MAX_BACK_OFF_MS = 60_000;

/**
 * The tasks that a worker could start now, kept up with every change of an experiment, so that a
 * choice costs the same however many there are.
 *
 * An evaluation waits for the distillation of its experiment. While a task runs, others with its
 * cache key wait for its result. A task whose attempt was lost waits for a while, longer each time.
 * Of the rest, a higher priority goes first; then the owner of whom the fewest tasks run, then the
 * one whose turn was longest ago; then what came first.
 */
export class ReadyTasks {
  readonly #monotonicMs: () => number;
  readonly #backOffMs: number;
  readonly #entries = new Map<string, Entry>();
  readonly #lanes = new Map<string, Map<number, Map<string, Lane>>>();
  readonly #numReady = new Map<string, number>();
  readonly #parked = new Map<string, Set<Entry>>();
  readonly #runningKeys = new Map<string, number>();
  readonly #held = new TinyQueue<{ entry: Entry; untilMs: number }>(
    [],
    (a, b) => a.untilMs - b.untilMs,
  );
  readonly #places = new Map<string, number>();
  readonly #turns = new TurnTaking();
  #numPlaces = 0;

  /** @param backOffMs wait after the first lost attempt; it doubles with each further one */
  constructor(monotonicMs: () => number, backOffMs: number) {
    this.#monotonicMs = monotonicMs;
    this.#backOffMs = backOffMs;
  }

  /** Call after every change of an experiment. */
  update(record: ExperimentRecord): void {
    const { id, state } = record.experiment;
    if (isEnded(state)) {
      for (const { task } of record.tasks) this.#forget(task.id);
      this.#places.delete(id);
      return;
    }
    if (!this.#places.has(id)) this.#places.set(id, this.#numPlaces++);
    record.tasks.forEach((entry, position) => {
      this.#updateTask(record, entry, position);
    });
  }

  /** The task that a worker with this kind of device should start; it stays until it runs. */
  next(kind: string): ReadyTask | undefined {
    this.#releaseHeld();
    const lanes = this.#lanes.get(kind);
    if (!lanes) return undefined;
    for (const priority of [...lanes.keys()].sort((a, b) => b - a)) {
      const found = this.#headOf(lanes.get(priority) ?? new Map());
      if (found) return found;
      lanes.delete(priority);
    }
    return undefined;
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

  #updateTask(record: ExperimentRecord, { task, numLost }: TaskRecord, position: number): void {
    const before = this.#entries.get(task.id);
    if (task.state === State.STATE_RUNNING) {
      if (before?.status === "running") return;
      this.#forget(task.id);
      this.#run(this.#entryOf(record, task, numLost, position));
    } else if (couldRun(record, task)) {
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
      device: spec?.compute?.device ?? "cpu",
      cacheKey: task.cacheKey,
      owner,
      priority,
      numLost,
      place: [this.#places.get(experimentId) ?? 0, position],
      status: "gone",
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
    const byPriority = made(this.#lanes, kind, () => new Map<number, Map<string, Lane>>());
    const byOwner = made(byPriority, entry.priority, () => new Map<string, Lane>());
    made(byOwner, entry.owner, () => new TinyQueue<Entry>([], byPlace)).push(entry);
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

  /** The first of the owner whose turn it is. */
  #headOf(lanes: Map<string, Lane>): Entry | undefined {
    let chosen: Entry | undefined;
    for (const [owner, lane] of lanes) {
      const head = this.#firstOf(lane);
      if (!head) lanes.delete(owner);
      else if (!chosen || this.#turns.isBefore(owner, chosen.owner)) chosen = head;
    }
    return chosen;
  }

  #firstOf(lane: Lane): Entry | undefined {
    for (let head = lane.peek(); head; head = lane.peek()) {
      if (head.status === "ready" && !this.#runningKeys.has(head.cacheKey)) return head;
      lane.pop();
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

function couldRun(record: ExperimentRecord, task: Task): boolean {
  if (task.state !== State.STATE_QUEUED || mustStop(record)) return false;
  if (!isEvaluate(task)) return true;
  return record.tasks
    .filter((entry) => isDistill(entry.task))
    .every((entry) => entry.task.state === State.STATE_SUCCEEDED);
}

function byPlace(a: Entry, b: Entry): number {
  return a.place[0] - b.place[0] || a.place[1] - b.place[1];
}

function made<Key, Value>(map: Map<Key, Value>, key: Key, make: () => Value): Value {
  const value = map.get(key) ?? make();
  map.set(key, value);
  return value;
}
