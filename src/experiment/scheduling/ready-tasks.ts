import TinyQueue from "tinyqueue";
import { type Experiment, State, type Task } from "../../generated/stillhouse/v1/experiment.js";
import { MIB } from "../../settings/memory.js";
import { computeNeeds } from "../domain/compute-needs.js";
import type { QueuedExperiment, QueuedTask } from "../domain/queue-ports.js";
import { type ExperimentRecord, isDistill, type TaskRecord } from "../domain/record.js";
import { startable } from "../domain/startable.js";
import { isEnded } from "../domain/states.js";
import { Demands } from "./demands.js";
import { type Room, UNBOUNDED } from "./device-memory.js";
import { deviceKind, needsOf } from "./device-needs.js";
import { Lanes } from "./lanes.js";
import type { Entry, ReadyTask } from "./ready-task.js";
import { type Startable, startOrder } from "./start-order.js";
import { SweepLimits } from "./sweep-limits.js";
import { TurnTaking } from "./turn-taking.js";
import type { Demand } from "./wanted-launches.js";

const MAX_BACK_OFF_MS = 60_000;
/** How long smaller tasks may overtake one that has no room; afterwards room is kept for it. */
const PATIENCE_MS = 60_000;

/** What an experiment and its tasks have in common. */
type Placed = Omit<QueuedExperiment, "sweepId" | "numTasks" | "ready">;

/**
 * The tasks that a worker could start now, updated with every change of an experiment, so that a
 * choice costs the same however many there are. Of each it has what the order depends on, and
 * nothing of an experiment besides: some hundred bytes a task.
 *
 * An evaluation waits for the distillation of its experiment, whatever starts from learners of a
 * pool for their training, and an experiment for its turn in a
 * sweep with a limit. While a task runs, others with its cache key wait for its result. A task
 * whose attempt was lost waits for a while, longer each time. Of the others, a higher priority goes
 * first; then the owner with the fewest running tasks, then the owner whose turn was longest ago;
 * then the oldest. A task for which the device has no room lets smaller ones go first for a while.
 */
export class ReadyTasks {
  readonly #monotonicMs: () => number;
  readonly #backOffMs: number;
  readonly #entries = new Map<string, Entry>();
  readonly #lanes: Lanes;
  readonly #demands = new Demands();
  readonly #parked = new Map<string, Set<Entry>>();
  readonly #heldKeys = new Map<string, number>();
  /** Entries of experiments that wait for their turn in a sweep. */
  readonly #limited = new Map<string, Entry[]>();
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
    this.#lanes = new Lanes(this.#turns, (queue) => this.#firstOf(queue));
  }

  /** Takes up what an earlier process left of an experiment; call it in the order of their ages. */
  load(experiment: QueuedExperiment): void {
    this.#place(experiment.id);
    this.#sweeps.add(experiment);
    const mayRun = this.#sweeps.mayRun(experiment);
    for (const task of experiment.ready) this.#await(this.#entryOf(experiment, task), mayRun);
  }

  /** Call after every change of an experiment. */
  update(record: ExperimentRecord): void {
    const { id, state } = record.experiment;
    const next = this.#sweeps.update(record.experiment);
    if (isEnded(state)) {
      for (const { task } of record.tasks) this.#forget(task.id);
      this.#places.delete(id);
      this.#limited.delete(id);
    } else {
      this.#place(id);
      this.#updateTasks(record);
    }
    if (next !== undefined) this.#admit(next);
  }

  /** Forgets an experiment that cannot be read. */
  remove(experimentId: string): void {
    for (const { experimentId: id, taskId } of [...this.#entries.values()]) {
      if (id === experimentId) this.#forget(taskId);
    }
    this.#places.delete(experimentId);
    this.#limited.delete(experimentId);
  }

  /** Does not try a task again before its experiment changes, because it could not be started. */
  putAside(taskId: string): void {
    this.#forget(taskId);
  }

  /** Tasks with this cache key wait until `releaseKey`: their result is being computed or given. */
  holdKey(cacheKey: string): void {
    this.#heldKeys.set(cacheKey, (this.#heldKeys.get(cacheKey) ?? 0) + 1);
  }

  /** What waited because of `holdKey` can start, once it was released as often as it was held. */
  releaseKey(cacheKey: string): void {
    const numHolders = (this.#heldKeys.get(cacheKey) ?? 0) - 1;
    if (numHolders > 0) {
      this.#heldKeys.set(cacheKey, numHolders);
      return;
    }
    this.#heldKeys.delete(cacheKey);
    const parked = this.#parked.get(cacheKey) ?? [];
    this.#parked.delete(cacheKey);
    for (const entry of parked) this.#enqueue(entry);
  }

  /** Call when the limit of a sweep has changed. */
  applySweepLimit(sweepId: string): void {
    const mayRun = this.#sweeps.changeLimit(sweepId);
    for (const entry of [...this.#entries.values()]) {
      if (mayRun.get(entry.experimentId) === false) this.#limit(entry);
    }
    for (const [id, may] of mayRun) if (may) this.#admit(id);
  }

  /**
   * The task that a worker with this kind of device should start; it stays until it runs.
   *
   * @param roomFor the memory that a task would have on the worker's device
   */
  nextTask(
    kind: string,
    roomFor: (task: ReadyTask) => Room = () => UNBOUNDED,
  ): ReadyTask | undefined {
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
  oversizedTasks(kind: string, mostBytesFor: (task: ReadyTask) => number): ReadyTask[] {
    return [...this.#heads(kind)].filter((task) => task.memoryBytes > mostBytesFor(task));
  }

  /** Number of ready tasks for each kind of device. */
  numReadyByKind(): ReadonlyMap<string, number> {
    this.#releaseHeld();
    return this.#demands.byKind();
  }

  /** What the ready tasks for this kind of device need, and how many need the same. */
  demands(kind: string): Demand[] {
    this.#releaseHeld();
    return this.#demands.of(kind);
  }

  /** All ready tasks, in no order. */
  readyTasks(): ReadyTask[] {
    this.#releaseHeld();
    return [...this.#entries.values()].filter(({ status }) => status === "ready");
  }

  /**
   * Experiments with a ready task, by the first of each, in the order in which these would start.
   * Nothing may change while it is read.
   */
  startOrder(): Generator<Startable, void> {
    this.#releaseHeld();
    return startOrder(this.#levels(), this.#turns.copy());
  }

  *#levels(): Generator<Iterable<Iterable<Entry>>> {
    for (const lanes of this.#lanes.levels()) yield [...lanes].map(onlyReady);
  }

  #place(experimentId: string): void {
    if (!this.#places.has(experimentId)) this.#places.set(experimentId, this.#numPlaces++);
  }

  #updateTasks(record: ExperimentRecord): void {
    const mayRun = this.#sweeps.mayRun(record.experiment);
    const canStart = startable(record);
    record.tasks.forEach((entry, position) => {
      this.#updateTask(record, entry, position, canStart(entry.task), mayRun);
    });
  }

  #updateTask(
    record: ExperimentRecord,
    { task, numLost }: TaskRecord,
    position: number,
    canStart: boolean,
    mayRun: boolean,
  ): void {
    const before = this.#entries.get(task.id);
    if (task.state === State.RUNNING) {
      if (before?.status === "running") return;
      this.#forget(task.id);
      this.#run(this.#entryOfTask(record, task, numLost, position));
    } else if (canStart) {
      if (before && before.status !== "running") return;
      this.#forget(task.id);
      const entry = this.#entryOfTask(record, task, numLost, position);
      if (mayRun && before && numLost > before.numLost) this.#hold(entry);
      else this.#await(entry, mayRun);
    } else {
      this.#forget(task.id);
    }
  }

  #entryOfTask({ experiment }: ExperimentRecord, task: Task, numLost: number, position: number) {
    const { id, cacheKey } = task;
    const queued = { id, position, isDistill: isDistill(task), cacheKey, numLost };
    return this.#entryOf(placedOf(experiment), queued);
  }

  /** A start makes very many, so nothing is copied. */
  #entryOf(experiment: Placed, task: QueuedTask): Entry {
    const { device, numDevices, numMembers } = needsOf(experiment, task.isDistill);
    const entry: Entry = {
      taskId: task.id,
      experimentId: experiment.id,
      device,
      numDevices,
      numMembers,
      memoryBytes: experiment.memoryMib * MIB,
      cacheKey: task.cacheKey,
      owner: experiment.owner,
      priority: experiment.priority,
      numLost: task.numLost,
      place: [this.#places.get(experiment.id) ?? 0, task.position],
      status: "gone",
      tooLargeSinceMs: undefined,
    };
    this.#entries.set(entry.taskId, entry);
    return entry;
  }

  #await(entry: Entry, mayRun: boolean): void {
    if (mayRun) this.#enqueue(entry);
    else this.#keepLimited(entry);
  }

  #keepLimited(entry: Entry): void {
    entry.status = "limited";
    const others = this.#limited.get(entry.experimentId);
    if (others) others.push(entry);
    else this.#limited.set(entry.experimentId, [entry]);
  }

  /** It is the turn of an experiment in its sweep. */
  #admit(experimentId: string): void {
    const entries = this.#limited.get(experimentId) ?? [];
    this.#limited.delete(experimentId);
    for (const entry of entries) if (entry.status === "limited") this.#enqueue(entry);
  }

  /** It is no longer the turn of a task's experiment; one that runs goes on. */
  #limit(entry: Entry): void {
    if (entry.status === "running" || entry.status === "limited") return;
    this.#forget(entry.taskId);
    // The former one may still be in a queue.
    const copy: Entry = { ...entry, tooLargeSinceMs: undefined };
    this.#entries.set(copy.taskId, copy);
    this.#keepLimited(copy);
  }

  #run(entry: Entry): void {
    entry.status = "running";
    this.#turns.noteStart(entry.owner);
    const { cacheKey } = entry;
    if (cacheKey !== "") this.holdKey(cacheKey);
  }

  #enqueue(entry: Entry): void {
    entry.status = "ready";
    this.#demands.add(entry);
    this.#lanes.add(deviceKind(entry.device), entry);
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
    if (status === "ready") this.#demands.remove(entry);
    if (status === "parked") this.#parked.get(cacheKey)?.delete(entry);
    if (status !== "running") return;
    this.#turns.noteEnd(entry.owner);
    if (cacheKey !== "") this.releaseKey(cacheKey);
  }

  *#heads(kind: string): Generator<Entry> {
    this.#releaseHeld();
    yield* this.#lanes.heads(kind);
  }

  /** What leaves the queue could not start now. */
  #firstOf(queue: TinyQueue<Entry>): Entry | undefined {
    for (let head = queue.peek(); head; head = queue.peek()) {
      if (head.status === "ready" && !this.#heldKeys.has(head.cacheKey)) return head;
      queue.pop();
      if (head.status === "ready") this.#park(head);
    }
    return undefined;
  }

  #park(entry: Entry): void {
    entry.status = "parked";
    this.#demands.remove(entry);
    const alike = this.#parked.get(entry.cacheKey) ?? new Set<Entry>();
    this.#parked.set(entry.cacheKey, alike.add(entry));
  }
}

function* onlyReady(entries: Iterable<Entry>): Generator<Entry> {
  for (const entry of entries) if (entry.status === "ready") yield entry;
}

function placedOf({ id, owner, priority, spec }: Experiment): Placed {
  return { id, owner, priority, ...computeNeeds(spec) };
}
