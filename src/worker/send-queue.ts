/** Messages that may wait for a socket; more than that means that nobody takes them any more. */
const MAX_WAITING = 10_000;

export interface QueuedSocket {
  send(frames: Buffer[]): Promise<void>;
}

interface Waiting {
  readonly frames: Buffer[];
  readonly onError: (error: Error) => void;
}

/** Sends one after the other, since a ZeroMQ socket takes one pending send at a time (else EBUSY). */
export class SendQueue {
  readonly #socket: QueuedSocket;
  readonly #waiting: Waiting[] = [];
  #isSending = false;

  constructor(socket: QueuedSocket) {
    this.#socket = socket;
  }

  /** @param onError called when the message cannot be delivered; the ones after it still are */
  push(frames: Buffer[], onError: (error: Error) => void): void {
    if (this.#waiting.length >= MAX_WAITING) {
      onError(new Error(`${MAX_WAITING} messages already wait to be sent`));
      return;
    }
    this.#waiting.push({ frames, onError });
    if (!this.#isSending) void this.#sendAll();
  }

  /** Resolves when nothing waits any more. */
  async flushed(): Promise<void> {
    while (this.#isSending) await new Promise((resolve) => setImmediate(resolve));
  }

  async #sendAll(): Promise<void> {
    this.#isSending = true;
    for (let next = this.#waiting.shift(); next; next = this.#waiting.shift()) {
      try {
        await this.#socket.send(next.frames);
      } catch (error) {
        next.onError(error as Error);
      }
    }
    this.#isSending = false;
  }
}
