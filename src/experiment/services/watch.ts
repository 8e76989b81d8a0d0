import { invalid } from "../../errors.js";
import { Event, type Experiment } from "../../generated/stillhouse/v1/experiment.js";
import { isEnded } from "../domain/states.js";
import type { ExperimentStore } from "../domain/storage-ports.js";
import type { EventFeed, Subscription } from "../scheduling/event-feed.js";

const EVENTS_PER_READ = 100;

export interface WatchSources {
  readonly store: Pick<ExperimentStore, "eventsAfter" | "lastSequence">;
  readonly feed: EventFeed;
  readonly now: () => Date;
  /** The experiment as it is, with the latest progress; throws NOT_FOUND. */
  readonly get: (experimentId: string) => Experiment;
}

/**
 * The experiment as a whole, then its events after a sequence number: stored ones without gap or
 * repeat, progress and metrics as they happen. Ends when the experiment has ended.
 *
 * For a slow consumer, only what `Subscription` bounds is buffered: stored events are read from the
 * store when they are asked for.
 *
 * @param signal ends the watch early and quietly
 * @param storedOnly ends it after the events that are stored
 */
export async function* watchExperiment(
  sources: WatchSources,
  experimentId: string,
  afterSequence: bigint,
  signal: AbortSignal,
  storedOnly = false,
): AsyncGenerator<Event, void> {
  const experiment = sources.get(experimentId);
  assertKnown(afterSequence, sources.store.lastSequence(experimentId));
  const subscription = sources.feed.subscribe(experimentId);
  const stop = () => subscription.wake();
  signal.addEventListener("abort", stop);
  try {
    yield snapshot(experiment, afterSequence, sources.now());
    yield* follow(sources, experimentId, afterSequence, subscription, signal, storedOnly);
  } finally {
    signal.removeEventListener("abort", stop);
    subscription.close();
  }
}

async function* follow(
  sources: WatchSources,
  experimentId: string,
  afterSequence: bigint,
  subscription: Subscription,
  signal: AbortSignal,
  storedOnly: boolean,
): AsyncGenerator<Event, void> {
  let sequence = afterSequence;
  while (!signal.aborted) {
    const events = sources.store.eventsAfter(experimentId, sequence, EVENTS_PER_READ);
    for (const event of events) {
      yield event;
      sequence = event.sequence;
    }
    if (events.length > 0) continue;
    if (storedOnly) return;
    const live = subscription.takeLive();
    yield* live;
    if (live.length > 0) continue;
    if (isEnded(sources.get(experimentId).state)) return;
    await subscription.changed();
  }
}

/** Its sequence is the one that was asked for, so that a resume after it misses nothing. */
function snapshot(experiment: Experiment, sequence: bigint, time: Date): Event {
  return Event.fromPartial({
    sequence,
    experimentId: experiment.id,
    time,
    kind: { $case: "experiment", value: experiment },
  });
}

function assertKnown(afterSequence: bigint, lastSequence: bigint): void {
  if (afterSequence <= lastSequence) return;
  throw invalid(
    "after_sequence",
    `after_sequence must be at most ${lastSequence}, the last event there is, got ${afterSequence}`,
  );
}
