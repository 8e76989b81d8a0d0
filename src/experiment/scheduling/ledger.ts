import { noSuch } from "../../errors.js";
import type {
  Event,
  Experiment,
  LogLine,
  MetricPoints,
  Progress,
  Task,
} from "../../generated/stillhouse/v1/experiment.js";
import { type Observer, UNOBSERVED } from "../domain/observer.js";
import { experimentIdOf } from "../domain/plan.js";
import type { Clock } from "../domain/ports.js";
import type { QueuedExperiment } from "../domain/queue-ports.js";
import { type ExperimentRecord, findTask, mustStop, withTasks } from "../domain/record.js";
import { withResult } from "../domain/resulted.js";
import { isEnded } from "../domain/states.js";
import { alone } from "../domain/storage-fault.js";
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
import { UnfinishedRecords } from "./unfinished-records.js";
import { waitingOf } from "./waiting.js";

type Ready = Pick<
  ReadyTasks,
  "load" | "update" | "remove" | "startOrder" | "holdKey" | "releaseKey"
>;
type Transition = (record: ExperimentRecord, now: Date) => ExperimentRecord;

export interface LedgerOptions {
  readonly observer?: Observer;
  /** What an owner may have that is unfinished. */
  readonly most?: Unfinished;
  /** Tasks in memory of experiments of which nothing runs. */
  readonly mostIdleTasks?: number;
}

/**
 * The experiments. A change is stored, then made in memory, then reported. Of the unfinished ones,
 * only those of which a task runs and the last used ones are in memory; the others are read when
 * they are needed.
 */
export class Ledger {
  readonly #records: UnfinishedRecords;
  /** Unfinished experiments whose tasks must stop. */
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

  /** @param ready gets every change */
  constructor(
    store: ExperimentStore,
    artifacts: Pick<ArtifactStore, "exists">,
    feed: EventFeed,
    clock: Clock,
    ready: Ready,
    { observer = UNOBSERVED, most = UNLIMITED, mostIdleTasks }: LedgerOptions = {},
  ) {
    this.#records = new UnfinishedRecords(mostIdleTasks);
    this.#quota = new OwnerQuota(most);
    this.#ready = ready;
    this.#store = store;
    this.#arrivals = new Arrivals(store);
    this.#sharing = new ResultSharing(new KnownResults(store, artifacts), this, ready, store.queue);
    this.#feed = feed;
    this.#clock = clock;
    this.#observer = observer;
  }

  /**
   * Takes up what an earlier process left: tasks that were running are queued again, unless they
   * still run. Only experiments of which tasks ran are read; of the others the queue learns what the
   * store has in columns. Other work runs in between, so that a long queue does not block for long.
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
    const { queue } = this.#store;
    const turns = this.#turns();
    const next = async () => {
      await turns.next();
      stop?.throwIfAborted();
    };
    let numExperiments = 0;
    for (const experiment of queue.waiting()) {
      numExperiments++;
      this.#takeUp(experiment, goesOn(experiment.id));
      await next();
    }
    this.#observer.tookOver(numExperiments, queue.taskCounts());
    for (const id of queue.running()) {
      alone(
        () => this.#takeUpRunning(id, (task) => goesOn(id) && runsOn(task)),
        () => undefined,
      );
      await next();
    }
    for (const id of queue.awaitingKnown()) {
      alone(
        () => this.#held.has(id) || this.reuseResults(id),
        () => undefined,
      );
      await next();
    }
    return [...this.#held];
  }

  #takeUp(experiment: QueuedExperiment, goesOn: boolean): void {
    const { id, owner, numTasks } = experiment;
    this.#quota.add(owner, { experiments: 1, tasks: numTasks });
    if (goesOn) this.#ready.load(experiment);
    else this.#held.add(id);
  }

  #takeUpRunning(id: string, mayRun: (task: Task) => boolean): void {
    const record = this.record(id);
    this.#remember(record);
    this.#observer.changed(record, record);
    this.update(id, (before, now) => requeueRunning(before, now, mayRun));
  }

  /** Continues an experiment that stayed queued, because somebody asks for it. */
  release(experimentId: string): void {
    if (!this.#held.delete(experimentId)) return;
    this.#remember(this.record(experimentId));
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
    this.#quota.changed(undefined, record);
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

  /** The experiments of which a task runs, in no order. */
  runningRecords(): Iterable<ExperimentRecord> {
    return this.#records.running();
  }

  /** Unfinished experiments whose running tasks must stop. */
  stoppingIds(): string[] {
    return [...this.#stopping];
  }

  /**
   * Experiments of which no task has started, in the order in which they will start; the last ones
   * wait for others.
   *
   * @param owner whose they are; empty for all
   * @param count how many at most
   */
  waitingRecords(owner: string, count: number): ExperimentRecord[] {
    const find = (id: string) => this.find(id);
    return waitingOf({ store: this.#store, ready: this.#ready, find }, owner, count);
  }

  /** The experiment as clients see it, where a task of it runs. */
  findRunning(experimentId: string): Experiment | undefined {
    const record = this.#records.findRunning(experimentId);
    return record && this.experiment(record);
  }

  /** Owners who have anything unfinished. */
  ownersOfUnfinished(): string[] {
    return this.#quota.owners();
  }

  /** The experiment, if there is one. */
  find(experimentId: string): ExperimentRecord | undefined {
    if (this.#arrivals.has(experimentId)) return undefined;
    const known = this.#records.get(experimentId);
    if (known) return known;
    const stored = this.#store.find(experimentId);
    if (stored) this.#records.set(stored);
    return stored;
  }

  /** The experiment, unless it stays queued until `release`. */
  findActive(experimentId: string): ExperimentRecord | undefined {
    return this.#held.has(experimentId) ? undefined : this.find(experimentId);
  }

  /** Throws NOT_FOUND when there is no such experiment. */
  record(experimentId: string): ExperimentRecord {
    const record = this.find(experimentId);
    if (record) return record;
    throw noSuch("experiment", experimentId);
  }

  /** Whether it has ended, or cannot be read, so that nothing runs. Throws NOT_FOUND. */
  isAtRest(experimentId: string): boolean {
    const standing = this.#store.queue.standingOf(experimentId);
    if (standing === undefined || this.#arrivals.has(experimentId)) {
      throw noSuch("experiment", experimentId);
    }
    return standing.isEnded || !this.#isReadable(experimentId);
  }

  #isReadable(experimentId: string): boolean {
    let isReadable = true;
    alone(
      () => this.find(experimentId),
      () => {
        isReadable = false;
      },
    );
    return isReadable;
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
    this.#quota.changed(before, after);
    this.#remember(after);
    this.#progress.forgetEnded(after);
    this.#observer.changed(before, after);
    this.#feed.publishStored(stored);
    for (const { task } of change.tasks) this.#sharing.shareResultOf(task);
    return after;
  }

  /** Removes an experiment that is at rest. */
  remove(experimentId: string): void {
    const standing = this.#store.queue.standingOf(experimentId);
    this.#store.remove(experimentId);
    const isUnfinished = standing?.isEnded === false;
    if (isUnfinished) {
      this.#ready.remove(experimentId);
      this.#held.delete(experimentId);
      this.#quota.add(standing.owner, { experiments: -1, tasks: -standing.numTasks });
    }
    this.#observer.removed(experimentId, isUnfinished);
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
    this.#records.set(record);
    if (isEnded(state)) this.#held.delete(id);
    if (!isEnded(state) && mustStop(record)) this.#stopping.add(id);
    else this.#stopping.delete(id);
    if (!this.#held.has(id)) this.#ready.update(record);
  }
}
