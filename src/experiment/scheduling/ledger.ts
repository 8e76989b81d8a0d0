import { noSuch } from "../../errors.js";
import {
  type Event,
  type Experiment,
  type LogLine,
  type MetricPoints,
  type Progress,
  State,
  type Task,
} from "../../generated/stillhouse/v1/experiment.js";
import { type Observer, UNOBSERVED } from "../domain/observer.js";
import { experimentIdOf } from "../domain/plan.js";
import type { Clock } from "../domain/ports.js";
import { type ExperimentRecord, findTask, mustStop, withTasks } from "../domain/record.js";
import { withResult } from "../domain/resulted.js";
import { isEnded } from "../domain/states.js";
import type { ArtifactStore, Change, ExperimentStore } from "../domain/storage-ports.js";
import { requeueRunning } from "../domain/transitions.js";
import { Turns } from "../domain/turns.js";
import { Arrivals } from "./arrivals.js";
import { changeOf, creationOf, isLogged, taskEvent } from "./changes.js";
import type { EventFeed } from "./event-feed.js";
import { KnownResults } from "./known-results.js";
import { LatestProgress } from "./latest-progress.js";
import { OwnerQuota, UNLIMITED, type Unfinished } from "./owner-quota.js";
import type { ReadyTasks } from "./ready-tasks.js";
import { ResultSharing } from "./result-sharing.js";

type Ready = Pick<ReadyTasks, "update" | "startOrder" | "holdKey" | "releaseKey">;
type Transition = (record: ExperimentRecord, now: Date) => ExperimentRecord;

/** Holds the unfinished experiments. A change is stored, then made in memory, then reported. */
export class Ledger {
  readonly #unfinished = new Map<string, ExperimentRecord>();
  /** Those of them whose tasks must stop. */
  readonly #stopping = new Set<string>();
  /** Experiments that stay queued until somebody asks for them. */
  readonly #held = new Set<string>();
  readonly #progress = new LatestProgress();
  readonly #store: ExperimentStore;
  readonly #arrivals: Arrivals;
  readonly #sharing: ResultSharing;
  readonly #feed: EventFeed;
  readonly #clock: Clock;
  readonly #observer: Observer;
  readonly #ready: Ready;
  readonly #quota: OwnerQuota;

  /**
   * @param ready gets every change
   * @param most what an owner may have that is unfinished
   */
  constructor(
    store: ExperimentStore,
    artifacts: Pick<ArtifactStore, "exists">,
    feed: EventFeed,
    clock: Clock,
    ready: Ready,
    observer: Observer = UNOBSERVED,
    most: Unfinished = UNLIMITED,
  ) {
    this.#quota = new OwnerQuota(most);
    this.#ready = ready;
    this.#store = store;
    this.#arrivals = new Arrivals(store);
    this.#sharing = new ResultSharing(new KnownResults(store, artifacts), this, ready);
    this.#feed = feed;
    this.#clock = clock;
    this.#observer = observer;
  }

  /**
   * Loads what an earlier process left: tasks that were running are queued again, unless they still
   * run. Other work runs in between, so that a long queue does not block for long.
   *
   * @param goesOn whether an experiment continues; the others stay queued until `release`
   * @param runsOn whether the worker of a running task may still be computing
   * @param stop ends it early; the next load does the rest
   * @returns ids of those that stay queued. Throws the reason of `stop`.
   */
  async load(
    goesOn: (experimentId: string) => boolean,
    runsOn: (task: Task) => boolean,
    stop?: AbortSignal,
  ): Promise<string[]> {
    const turns = this.#turns();
    for (const record of this.#store.unfinished()) {
      const { id } = record.experiment;
      if (!goesOn(id)) this.#held.add(id);
      this.#remember(record);
      this.#observer.changed(undefined, record);
      const mayRun = (task: Task) => goesOn(id) && runsOn(task);
      this.update(id, (before, now) => requeueRunning(before, now, mayRun));
      await turns.next();
      stop?.throwIfAborted();
    }
    for (const { experiment } of this.unfinishedRecords()) {
      if (!this.#held.has(experiment.id)) this.reuseResults(experiment.id);
      await turns.next();
      stop?.throwIfAborted();
    }
    return [...this.#held];
  }

  /** Continues an experiment that stayed queued, because somebody asks for it. */
  release(experimentId: string): void {
    const record = this.#unfinished.get(experimentId);
    if (!this.#held.delete(experimentId) || record === undefined) return;
    this.#remember(record);
    this.reuseResults(experimentId);
  }

  /** Stores a new experiment with queued tasks. Throws RATE_LIMITED as `requireRoom`. */
  add(record: ExperimentRecord, requestId: string): void {
    this.requireRoom(record.experiment.owner, 1, record.tasks.length);
    this.#added(record, this.#store.create(creationOf(record, this.#clock.now()), requestId));
    this.reuseResults(record.experiment.id);
  }

  /**
   * Adds new experiments of one owner with queued tasks: all of them, or none. Other work runs in
   * between, and sees none of them before the last one is stored.
   *
   * @param records made one by one, as they are needed
   * @param more the number of experiments and of their tasks
   * @param complete stores the sweep that they belong to
   * @throws RATE_LIMITED as `requireRoom`, and what ends the iteration
   */
  async addSweep(
    owner: string,
    more: Unfinished,
    records: Iterable<ExperimentRecord>,
    complete: () => void,
  ): Promise<void> {
    const giveBack = this.#quota.reserve(owner, more);
    try {
      const arrived = await this.#arrivals.store(this.#creations(records), complete, this.#turns());
      const turns = this.#turns();
      for (const { record, events } of arrived) {
        const { id } = record.experiment;
        this.#arrivals.admit(id);
        this.#added(record, events);
        this.reuseResults(id);
        await turns.next();
      }
    } finally {
      giveBack();
    }
  }

  *#creations(records: Iterable<ExperimentRecord>): Generator<Change, void> {
    for (const record of records) yield creationOf(record, this.#clock.now());
  }

  #added(record: ExperimentRecord, stored: readonly Event[]): void {
    this.#remember(record);
    this.#observer.changed(undefined, record);
    this.#feed.publishStored(stored);
  }

  #turns(): Turns {
    return new Turns(() => this.#clock.monotonicMs());
  }

  /** Throws RATE_LIMITED where that would exceed what an owner may have unfinished. */
  requireRoom(owner: string, experiments: number, tasks: number): void {
    this.#quota.requireRoom(owner, { experiments, tasks });
  }

  /** The unfinished experiments, oldest first. */
  unfinishedRecords(): ExperimentRecord[] {
    return [...this.#unfinished.values()];
  }

  /** Unfinished experiments whose running tasks must stop. */
  stoppingIds(): string[] {
    return [...this.#stopping];
  }

  /**
   * Experiments of which no task has started, in the order in which they will start; the last ones
   * wait for others.
   */
  waitingRecords(): ExperimentRecord[] {
    const isQueued = (record: ExperimentRecord) => record.experiment.state === State.QUEUED;
    const inOrder = this.#ready.startOrder().flatMap((id) => this.#unfinished.get(id) ?? []);
    return [...new Set([...inOrder, ...this.unfinishedRecords()])].filter(isQueued);
  }

  /** The experiment as clients see it, where it is unfinished. */
  findUnfinished(experimentId: string): Experiment | undefined {
    const record = this.#unfinished.get(experimentId);
    return record && this.experiment(record);
  }

  /** Owners who have anything unfinished. */
  ownersOfUnfinished(): string[] {
    return this.#quota.owners();
  }

  /** The experiment, if there is one. */
  find(experimentId: string): ExperimentRecord | undefined {
    if (this.#arrivals.has(experimentId)) return undefined;
    return this.#unfinished.get(experimentId) ?? this.#store.find(experimentId);
  }

  /** Throws NOT_FOUND when there is no such experiment. */
  record(experimentId: string): ExperimentRecord {
    const record = this.find(experimentId);
    if (record) return record;
    throw noSuch("experiment", experimentId);
  }

  /** Whether it has ended, or cannot be read, so that nothing runs. Throws NOT_FOUND. */
  isAtRest(experimentId: string): boolean {
    if (this.#unfinished.has(experimentId)) return false;
    if (this.#store.has(experimentId) && !this.#arrivals.has(experimentId)) return true;
    throw noSuch("experiment", experimentId);
  }

  /** The experiment as clients see it, with the latest progress of what runs. */
  experiment(record: ExperimentRecord): Experiment {
    const experiment = withTasks(record);
    return { ...experiment, tasks: experiment.tasks.map((task) => this.#progress.addTo(task)) };
  }

  /** Changes an experiment. When the store cannot write, nothing has changed. */
  update(experimentId: string, transition: Transition): ExperimentRecord {
    const before = this.record(experimentId);
    const after = withResult(transition(before, this.#clock.now()), before);
    const change = changeOf(before, after, this.#clock.now());
    if (change === undefined) return before;
    const stored = this.#store.commit(change);
    this.#remember(after);
    this.#progress.forgetEnded(after);
    this.#observer.changed(before, after);
    this.#feed.publishStored(stored);
    for (const { task } of change.tasks) this.#sharing.shareResultOf(task);
    return after;
  }

  /** Removes an experiment that has ended. */
  remove(experimentId: string): void {
    this.#store.remove(experimentId);
    this.#observer.removed(experimentId);
  }

  appendLog(task: Task, line: LogLine): void {
    const event = taskEvent(task, this.#clock.now(), { $case: "log", value: line });
    const record = this.record(task.experimentId);
    this.#feed.publishStored(this.#store.commit({ record, tasks: [], events: [event] }));
  }

  /** Whether a line of a task is stored already; its worker may not know that. */
  hasLog(task: Task, line: LogLine): boolean {
    return isLogged(this.#store, task, line);
  }

  /** The task of that id, if there is one. */
  findTask(taskId: string): Task | undefined {
    const record = this.find(experimentIdOf(taskId));
    return record && findTask(record, taskId)?.task;
  }

  publishProgress(task: Task, progress: Progress): void {
    this.#progress.set(task, progress);
    this.#feed.publishLive(
      taskEvent(task, this.#clock.now(), { $case: "progress", value: progress }),
    );
  }

  publishMetrics(task: Task, points: MetricPoints): void {
    this.#observer.metrics(task, points.points);
    this.publishLateMetrics(task, points);
  }

  /** Points that complete a series, but say nothing about the present state of the task. */
  publishLateMetrics(task: Task, points: MetricPoints): void {
    this.#feed.publishLive(taskEvent(task, this.#clock.now(), { $case: "metrics", value: points }));
  }

  /** Gives the queued tasks of an experiment the results that others with their cache keys have. */
  reuseResults(experimentId: string): void {
    this.#sharing.giveTo(this.record(experimentId));
  }

  /** See `ResultSharing.giveMore`. */
  shareResults(): boolean {
    return this.#sharing.giveMore(this.#turns());
  }

  #remember(record: ExperimentRecord): void {
    const { id, state } = record.experiment;
    if (isEnded(state)) {
      this.#unfinished.delete(id);
      this.#held.delete(id);
    } else {
      this.#unfinished.set(id, record);
    }
    if (!isEnded(state) && mustStop(record)) this.#stopping.add(id);
    else this.#stopping.delete(id);
    this.#quota.update(record);
    if (this.#held.has(id)) return;
    this.#ready.update(record);
    this.#sharing.update(record);
  }
}
