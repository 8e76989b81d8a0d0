import { once } from "node:events";
import type { Response } from "express";
import { StillhouseError, toFailure } from "../../errors.js";
import type { Log } from "../../experiment/domain/ports.js";
import { Event } from "../../generated/stillhouse/v1/experiment.js";
import { logDefect } from "./failures.js";

/** Proxies close a connection on which nothing comes for a minute. */
const KEEP_ALIVE_MS = 15_000;
/** After this a client connects again that lost its connection. */
const RETRY_MS = 2_000;

/**
 * Sends events as server-sent events. The next event is only produced when the client has read the
 * ones before, so that a slow client costs no memory.
 *
 * Stored events carry their sequence as id, from which a client continues after a lost connection.
 * The stream ends with an event named "end" when the experiment has ended, or with one named
 * "failure" that holds the error.
 *
 * @throws what the first event throws: then nothing has been sent yet
 */
export async function sendEvents(
  response: Response,
  log: Log,
  watch: (signal: AbortSignal) => AsyncGenerator<Event, void>,
): Promise<void> {
  const gone = new AbortController();
  response.on("close", () => gone.abort());
  const events = watch(gone.signal);
  let next = await events.next();
  response.writeHead(200, {
    "Content-Type": "text/event-stream; charset=utf-8",
    // What compresses would hold events back.
    "Cache-Control": "no-store, no-transform",
    "X-Accel-Buffering": "no",
  });
  response.write(`retry: ${RETRY_MS}\n\n`);
  const keepAlive = setInterval(() => response.write(": still here\n\n"), KEEP_ALIVE_MS);
  try {
    while (!next.done && !gone.signal.aborted) {
      if (!response.write(eventText(next.value))) await drained(response, gone.signal);
      next = await events.next();
    }
    if (!gone.signal.aborted) response.end("event: end\ndata: {}\n\n");
  } catch (thrown) {
    if (!(thrown instanceof StillhouseError)) logDefect(log, "a stream of events", thrown);
    response.end(`event: failure\ndata: ${JSON.stringify(failureOf(thrown))}\n\n`);
  } finally {
    clearInterval(keepAlive);
    await events.return();
  }
}

function eventText(event: Event): string {
  const id = event.sequence === 0n ? "" : `id: ${event.sequence}\n`;
  return `${id}data: ${JSON.stringify(Event.toJSON(event))}\n\n`;
}

function failureOf(thrown: unknown) {
  const { kind, message, field, retryable } = toFailure(thrown);
  return { error: { kind, message, field, retryable } };
}

async function drained(response: Response, signal: AbortSignal): Promise<void> {
  // A client that goes away is noticed by the signal in the loop above.
  await once(response, "drain", { signal }).catch(() => undefined);
}
