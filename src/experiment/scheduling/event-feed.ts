import type { Event } from "../../generated/stillhouse/v1/experiment.js";

/** Most live metric events kept for a slow watcher; older ones are dropped. */
const MAX_WAITING_METRIC_EVENTS = 256;

/** Notifies watchers of events of an experiment. */
export class EventFeed {
  readonly #subscriptions = new Map<string, Set<Subscription>>();
  readonly #record: (event: Event) => void;
  #end: Error | undefined;

  /** @param record is given each stored event, in order */
  constructor(record: (event: Event) => void = () => undefined) {
    this.#record = record;
  }

  /** The caller must close the subscription. */
  subscribe(experimentId: string): Subscription {
    const others = this.#subscriptions.get(experimentId) ?? new Set();
    this.#subscriptions.set(experimentId, others);
    const subscription = new Subscription(() => {
      others.delete(subscription);
      if (others.size === 0) this.#subscriptions.delete(experimentId);
    });
    others.add(subscription);
    if (this.#end) subscription.end(this.#end);
    return subscription;
  }

  /** Stored events: watchers read them from the store when they are ready for them. */
  publishStored(events: readonly Event[]): void {
    for (const event of events) {
      this.#record(event);
      for (const subscription of this.#of(event)) subscription.wake(event);
    }
  }

  /** Progress and metrics, which only present watchers get. */
  publishLive(event: Event): void {
    for (const subscription of this.#of(event)) subscription.push(event);
  }

  /** Every wait throws `error` from now on, until `reopen`. */
  end(error: Error): void {
    this.#end ??= error;
    for (const subscriptions of this.#subscriptions.values()) {
      for (const subscription of subscriptions) subscription.end(this.#end);
    }
  }

  /** Those that subscribe from now on get events again. */
  reopen(): void {
    this.#end = undefined;
  }

  #of(event: Event): Iterable<Subscription> {
    return this.#subscriptions.get(event.experimentId) ?? [];
  }
}

/**
 * What a watcher has not seen yet, in bounded memory: stored events are only a sign to look into
 * the store, of progress the latest of each task is kept, of metrics the newest few.
 */
export class Subscription {
  readonly #progress = new Map<string, Event>();
  #metrics: Event[] = [];
  #awake = false;
  #resolve: (() => void) | undefined;
  #end: Error | undefined;
  readonly #onClose: () => void;

  constructor(onClose: () => void) {
    this.#onClose = onClose;
  }

  wake(event?: Event): void {
    // The state of a task overtakes what its progress was before.
    if (event?.kind?.$case === "task") this.#progress.delete(event.taskId);
    this.#awake = true;
    this.#resolve?.();
  }

  push(event: Event): void {
    if (event.kind?.$case === "progress") {
      this.#progress.set(event.taskId, event);
    } else {
      this.#metrics.push(event);
      if (this.#metrics.length > MAX_WAITING_METRIC_EVENTS) this.#metrics.shift();
    }
    this.wake();
  }

  end(error: Error): void {
    this.#end = error;
    this.wake();
  }

  takeLive(): Event[] {
    const events = [...this.#metrics, ...this.#progress.values()];
    this.#metrics = [];
    this.#progress.clear();
    return events;
  }

  /** Resolves when something happened since the last call; throws when the feed has ended. */
  async changed(): Promise<void> {
    if (!this.#awake) {
      await new Promise<void>((resolve) => {
        this.#resolve = resolve;
      });
      this.#resolve = undefined;
    }
    if (this.#end) throw this.#end;
    this.#awake = false;
  }

  close(): void {
    this.#onClose();
    this.#resolve?.();
  }
}
