import { unavailable } from "../../errors.js";
import { type Event, State } from "../../generated/stillhouse/v1/experiment.js";
import type { Connection } from "./connection.js";

/** Whether the experiment stays as it is until a person changes it. */
export function isEnded(state: State): boolean {
  return state === State.SUCCEEDED || state === State.FAILED || state === State.CANCELLED;
}

export interface WatchOptions {
  readonly connection: Connection;
  readonly experimentId: string;
  /** What happened before the watch began is left out. */
  readonly skipsHistory: boolean;
  /** Whether the experiment is being stopped; then no other control plane queues it again. */
  readonly isStopping: () => boolean;
}

/**
 * The events of an experiment until it ends, also when one control plane takes over from another:
 * then after the last one seen, without gap or repeat.
 */
export async function* watchExperiment(options: WatchOptions): AsyncGenerator<Event, void> {
  const { connection, experimentId } = options;
  const position: Position = { sequence: 0n, isEnded: false, beginTime: undefined };
  for (;;) {
    try {
      yield* watchOnce(options, position);
      if (position.isEnded) return;
      throw unavailable(`the control plane ended before experiment ${experimentId} did`);
    } catch (error) {
      if (!(await connection.recovered(error))) throw error;
      const isAdopted = connection.takesOver && !options.isStopping();
      if (isAdopted) await resumeIfQueued(connection, experimentId);
    }
  }
}

interface Position {
  sequence: bigint;
  isEnded: boolean;
  /** When the first watch began, by the clock of its control plane. */
  beginTime: Date | undefined;
}

async function* watchOnce(options: WatchOptions, position: Position): AsyncGenerator<Event, void> {
  const { connection, experimentId } = options;
  for await (const event of connection.client.watch(experimentId, position.sequence)) {
    position.beginTime ??= event.time; // the first event is the experiment as it is
    if (event.sequence > position.sequence) position.sequence = event.sequence;
    if (options.skipsHistory && isBefore(event.time, position.beginTime)) continue;
    if (event.kind?.$case === "experiment") position.isEnded = isEnded(event.kind.value.state);
    yield event;
  }
}

function isBefore(time: Date | undefined, limit: Date | undefined): boolean {
  return time !== undefined && limit !== undefined && time < limit;
}

/** A process that started its own control plane meanwhile may have left the experiment queued. */
async function resumeIfQueued(connection: Connection, experimentId: string): Promise<void> {
  const { experiment } = await connection.call((client) => client.get(experimentId));
  if (experiment?.state === State.QUEUED) {
    await connection.call((client) => client.resume(experimentId));
  }
}
