import { FailureKind, StillhouseError } from "../errors.js";
import {
  type Event,
  type Experiment,
  type LogLine,
  type MetricPoints,
  type Progress,
  State,
  type Task,
  type TaskResult,
} from "../generated/stillhouse/v1/experiment.js";
import { AwaitedResults } from "./awaited-results.js";
import type { EventFeed } from "./event-feed.js";
import { type Observer, UNOBSERVED } from "./observer.js";
import { OwnerQuota, UNLIMITED, type Unfinished } from "./owner-quota.js";
import { experimentIdOf } from "./plan.js";
import type { ArtifactStore, Change, Clock, ExperimentStore } from "./ports.js";
import type { ReadyTasks } from "./ready-tasks.js";
import { type ExperimentRecord, findTask, withTasks } from "./record.js";
import { isEnded } from "./states.js";
import { alone } from "./storage-fault.js";
import { requeueRunning, reuseResults } from "./transitions.js";
import { Turns } from "./turns.js";

const EVENTS_PER_READ = 1_000;

type Transition = (record: ExperimentRecord, now: Date) => ExperimentRecord;

/**
 * The experiments and their one way to change: stored first, then in memory, then told to whoever
 * watches. What is unfinished is kept in memory.
 */
export class Ledger {
  readonly #unfinished = new Map<string, ExperimentRecord>();
  /** Those of them that nothing is done for before somebody asks for them. */
  readonly #held = new Set<string>();
  /** Stored, of a sweep that is not stored whole yet. */
  readonly #arriving = new Set<string>();
  readonly #progress = new Map<string, Progress>();
  readonly #store: ExperimentStore;
  readonly #artifacts: Pick<ArtifactStore, "exists">;
  readonly #feed: EventFeed;
  readonly #clock: Clock;
  readonly #observer: Observer;
  readonly #ready: Pick<ReadyTasks, "update">;
  readonly #awaited = new AwaitedResults();
  readonly #quota: OwnerQuota;

  /**
   * @param ready is told of every change
   * @param most what an owner may have that is unfinished
   */
  constructor(
    store: ExperimentStore,
    artifacts: Pick<ArtifactStore, "exists">,
    feed: EventFeed,
    clock: Clock,
    ready: Pick<ReadyTasks, "update">,
    observer: Observer = UNOBSERVED,
    most: Unfinished = UNLIMITED,
  ) {
    this.#quota = new OwnerQuota(most);
    this.#ready = ready;
    this.#store = store;
    this.#artifacts = artifacts;
    this.#feed = feed;
    this.#clock = clock;
    this.#observer = observer;
  }

  /**
   * Takes up what an earlier process left: what ran is queued again, unless it still runs. Lets
   * others have their turn in between, so that a long queue is no long block.
   *
   * @param goesOn whether an experiment goes on; the others stay queued until `release`
   * @param runsOn whether the worker of a running task may still be there
   * @returns ids of those that stay queued
   */
  async load(
    goesOn: (experimentId: string) => boolean,
    runsOn: (task: Task) => boolean,
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
    }
    for (const { experiment } of this.unfinished()) {
      if (!this.#held.has(experiment.id)) this.reuseResults(experiment.id);
      await turns.next();
    }
    return [...this.#held];
  }

  /** Somebody asks for an experiment that stayed queued: it goes on. */
  release(experimentId: string): void {
    const record = this.#unfinished.get(experimentId);
    if (!this.#held.delete(experimentId) || record === undefined) return;
    this.#remember(record);
    this.reuseResults(experimentId);
  }

  /** Stores a new experiment with queued tasks. Throws RATE_LIMITED as `requireRoom`. */
  add(record: ExperimentRecord, requestId: string): void {
    this.requireRoom(record.experiment.owner, 1, record.tasks.length);
    this.#added(record, this.#store.create(this.#creation(record), requestId));
    this.reuseResults(record.experiment.id);
  }

  /**
   * Adds new experiments of one owner with queued tasks: all of them, or none. Others have their
   * turn in between, and find none of them before the last one is stored.
   *
   * @param records made one by one, as they are needed
   * @param more how many they are, with how many tasks
   * @param complete stores the sweep that they are of
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
      const stored = await this.#storeInPieces(records, complete);
      const turns = this.#turns();
      for (const { record, events } of stored) {
        const { id } = record.experiment;
        this.#arriving.delete(id);
        this.#added(record, events);
        this.reuseResults(id);
        await turns.next();
      }
    } finally {
      giveBack();
    }
  }

  async #storeInPieces(records: Iterable<ExperimentRecord>, complete: () => void) {
    const turns = this.#turns();
    const stored: { record: ExperimentRecord; events: readonly Event[] }[] = [];
    try {
      for (const record of records) {
        this.#arriving.add(record.experiment.id);
        const events = this.#store.createForSweep([this.#creation(record)]);
        stored.push({ record, events });
        await turns.next();
      }
      complete();
      return stored;
    } catch (error) {
      this.#removeArrived(stored.map(({ record }) => record.experiment.id));
      throw error;
    }
  }

  /** What cannot be removed at present stays out of sight until the next start removes it. */
  #removeArrived(ids: readonly string[]): void {
    try {
      for (const id of ids) {
        this.#store.remove(id);
        this.#arriving.delete(id);
      }
    } catch {
      // The reason why they could not all be stored is what the caller is told.
    }
  }

  #creation(record: ExperimentRecord): Change {
    return { record, tasks: record.tasks, events: [this.#experimentEvent(record)] };
  }

  #added(record: ExperimentRecord, stored: readonly Event[]): void {
    this.#remember(record);
    this.#observer.changed(undefined, record);
    this.#feed.stored(stored);
  }

  #turns(): Turns {
    return new Turns(() => this.#clock.monotonicMs());
  }

  /** Throws RATE_LIMITED where an owner may not have so much more that is unfinished. */
  requireRoom(owner: string, experiments: number, tasks: number): void {
    this.#quota.requireRoom(owner, { experiments, tasks });
  }

  /** The unfinished experiments, oldest first. */
  unfinished(): ExperimentRecord[] {
    return [...this.#unfinished.values()];
  }

  /** The experiment as clients see it, where it is unfinished. */
  findUnfinished(experimentId: string): Experiment | undefined {
    const record = this.#unfinished.get(experimentId);
    return record && this.experiment(record);
  }

  /** Throws NOT_FOUND when there is no such experiment. */
  record(experimentId: string): ExperimentRecord {
    const isArriving = this.#arriving.has(experimentId);
    const record = this.#unfinished.get(experimentId) ?? this.#store.find(experimentId);
    if (record && !isArriving) return record;
    throw new StillhouseError(
      FailureKind.FAILURE_KIND_NOT_FOUND,
      `there is no experiment ${JSON.stringify(experimentId)}`,
      { field: "experiment_id" },
    );
  }

  /** The experiment as clients see it, with the latest progress of what runs. */
  experiment(record: ExperimentRecord): Experiment {
    const experiment = withTasks(record);
    const tasks = experiment.tasks.map((task) => this.#withProgress(task));
    return { ...experiment, tasks };
  }

  /** Changes an experiment. When the store cannot write, nothing has changed. */
  update(experimentId: string, transition: Transition): ExperimentRecord {
    const before = this.record(experimentId);
    const after = transition(before, this.#clock.now());
    const change = this.#change(before, after);
    if (change === undefined) return before;
    const stored = this.#store.commit(change);
    this.#remember(after);
    this.#forgetProgress(after);
    this.#observer.changed(before, after);
    this.#feed.stored(stored);
    for (const { task } of change.tasks) if (hasSharedResult(task)) this.share(task.cacheKey);
    return after;
  }

  /** Removes an experiment that has ended. */
  remove(experimentId: string): void {
    this.#store.remove(experimentId);
    this.#observer.removed(experimentId);
  }

  log(task: Task, line: LogLine): void {
    const event = this.#event(task, { $case: "log", value: line });
    const record = this.record(task.experimentId);
    this.#feed.stored(this.#store.commit({ record, tasks: [], events: [event] }));
  }

  /** Whether a line of a task is stored already; its worker may not know that. */
  hasLog({ id, experimentId }: Task, line: LogLine): boolean {
    let after = 0n;
    for (;;) {
      const events = this.#store.eventsAfter(experimentId, after, EVENTS_PER_READ);
      const isIt = ({ taskId, kind }: Event) =>
        taskId === id && kind?.$case === "log" && isSameLine(kind.value, line);
      if (events.some(isIt)) return true;
      const last = events.at(-1);
      if (last === undefined) return false;
      after = last.sequence;
    }
  }

  /** The task of that id, if there is one. */
  findTask(taskId: string): Task | undefined {
    const id = experimentIdOf(taskId);
    const record = this.#unfinished.get(id) ?? this.#store.find(id);
    return record && findTask(record, taskId)?.task;
  }

  progress(task: Task, progress: Progress): void {
    this.#progress.set(task.id, progress);
    this.#feed.live(this.#event(task, { $case: "progress", value: progress }));
  }

  metrics(task: Task, points: MetricPoints): void {
    this.#observer.metrics(task, points.points);
    this.#feed.live(this.#event(task, { $case: "metrics", value: points }));
  }

  /** Gives the queued tasks of an experiment the results that others with their cache keys have. */
  reuseResults(experimentId: string): void {
    const record = this.record(experimentId);
    const waiting = record.tasks.filter(({ task }) => isAwaitingResult(task));
    const known = this.#store.keysWithResults(waiting.map(({ task }) => task.cacheKey));
    this.#giveResults(
      record,
      waiting.map(({ task }) => task).filter(({ cacheKey }) => known.has(cacheKey)),
    );
  }

  /** Gives the result of a cache key to all that wait for it. */
  share(cacheKey: string): void {
    for (const { experimentId, taskId } of this.#awaited.of(cacheKey)) {
      const give = () => {
        const record = this.record(experimentId);
        const task = findTask(record, taskId)?.task;
        if (task && isAwaitingResult(task)) this.#giveResults(record, [task]);
      };
      // One that it cannot be given to computes it by itself.
      alone(give, () => undefined);
    }
  }

  #giveResults({ experiment }: ExperimentRecord, tasks: readonly Task[]): void {
    const results = new Map<string, TaskResult>();
    for (const { id, cacheKey } of tasks) {
      const result = this.#resultFor(experiment, cacheKey);
      if (result !== undefined) results.set(id, result);
    }
    if (results.size === 0) return;
    this.update(experiment.id, (record, now) => reuseResults(record, results, now));
  }

  #resultFor({ reuseAfter }: Experiment, cacheKey: string): TaskResult | undefined {
    const isNew = (endTime: Date | undefined) =>
      reuseAfter === undefined || (endTime !== undefined && endTime > reuseAfter);
    return this.#store
      .findResults(cacheKey)
      .find(({ result, endTime }) => isNew(endTime) && this.#isThere(result))?.result;
  }

  /** What was distilled is of use as long as it is there. */
  #isThere({ kind }: TaskResult): boolean {
    if (kind?.$case !== "distill") return true;
    return this.#artifacts.exists(kind.value.artifact?.id ?? "");
  }

  #change(before: ExperimentRecord, after: ExperimentRecord): Change | undefined {
    const tasks = after.tasks.filter((entry, position) => entry !== before.tasks[position]);
    const stateChanged = after.experiment.state !== before.experiment.state;
    if (tasks.length === 0 && !stateChanged && after.cancelRequested === before.cancelRequested) {
      return undefined;
    }
    const events = tasks.map(({ task }) => this.#event(task, { $case: "task", value: task }));
    if (stateChanged) events.push(this.#experimentEvent(after));
    return { record: after, tasks, events };
  }

  #event(task: Task, kind: NonNullable<Event["kind"]>): Event {
    const { id: taskId, experimentId } = task;
    return { sequence: 0n, experimentId, taskId, time: this.#clock.now(), kind };
  }

  #experimentEvent(record: ExperimentRecord): Event {
    return {
      sequence: 0n,
      experimentId: record.experiment.id,
      taskId: "",
      time: this.#clock.now(),
      kind: { $case: "experiment", value: withTasks(record) },
    };
  }

  #remember(record: ExperimentRecord): void {
    const { id, state } = record.experiment;
    if (isEnded(state)) {
      this.#unfinished.delete(id);
      this.#held.delete(id);
    } else {
      this.#unfinished.set(id, record);
    }
    this.#quota.update(record);
    if (this.#held.has(id)) return;
    this.#ready.update(record);
    this.#awaited.update(record);
  }

  #forgetProgress(record: ExperimentRecord): void {
    for (const { task } of record.tasks) {
      if (task.state !== State.STATE_RUNNING) this.#progress.delete(task.id);
    }
  }

  #withProgress(task: Task): Task {
    const progress = this.#progress.get(task.id);
    return progress === undefined ? task : { ...task, progress };
  }
}

function isSameLine(a: LogLine, b: LogLine): boolean {
  return a.message === b.message && a.level === b.level && a.time?.getTime() === b.time?.getTime();
}

function isAwaitingResult({ state, cacheKey }: Task): boolean {
  return state === State.STATE_QUEUED && cacheKey !== "";
}

function hasSharedResult(task: Task): boolean {
  return task.state === State.STATE_SUCCEEDED && task.cacheKey !== "" && !task.reused;
}
