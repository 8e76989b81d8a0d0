import { createParser, type EventSourceMessage } from "eventsource-parser";
import { errorOf, isOnline, send } from "./http.js";

const RETRY_MS = 700;
/** The server sends something every 15 s; after three times as long the connection is dead. */
const SILENCE_MS = 45_000;

export interface StreamHandlers {
  /** At every connection: what was sent before it and is not replayed must be requested. */
  readonly onConnect: () => void;
  readonly onMessage: (message: EventSourceMessage) => void;
  readonly onEnd: () => void;
  readonly onError: (error: Error) => void;
}

/**
 * Follows a stream of server-sent events until it ends, is aborted, or is refused. A connection
 * that is lost is made again from the last event that was seen. The browser's own EventSource
 * sends no Authorization.
 */
export async function follow(
  path: string,
  signal: AbortSignal,
  handlers: StreamHandlers,
): Promise<void> {
  let lastId = "";
  while (!signal.aborted) {
    try {
      const headers: Record<string, string> = { accept: "text/event-stream" };
      if (lastId !== "") headers["last-event-id"] = lastId;
      const response = await send(path, { signal }, headers);
      if (!response.ok && response.status < 500) return handlers.onError(await errorOf(response));
      if (response.ok && response.body) {
        handlers.onConnect();
        const ended = await read(response.body, (message) => {
          if (message.id !== undefined) lastId = message.id;
          handlers.onMessage(message);
        });
        if (ended) return handlers.onEnd();
      }
    } catch {
      // Aborted, or lost: the loop decides.
    }
    await untilOnline(signal);
  }
}

/** Whether the event `end` came. */
async function read(
  body: ReadableStream<Uint8Array>,
  onMessage: (message: EventSourceMessage) => void,
): Promise<boolean> {
  let ended = false;
  const parser = createParser({
    onEvent(message) {
      if (message.event === "end") ended = true;
      else onMessage(message);
    },
  });
  const reader = body.getReader();
  const decoder = new TextDecoder();
  for (;;) {
    const silence = setTimeout(() => reader.cancel(), SILENCE_MS);
    const { done, value } = await reader.read().finally(() => clearTimeout(silence));
    if (done) return ended;
    parser.feed(decoder.decode(value, { stream: true }));
  }
}

function untilOnline(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setInterval(() => {
      if (!isOnline.value && !signal.aborted) return;
      clearInterval(timer);
      resolve();
    }, RETRY_MS);
  });
}
