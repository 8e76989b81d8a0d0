import { connect, type Socket } from "node:net";
import { type Frame, FrameReader } from "./frame-reader.js";
import type { HeldBytes, Holder } from "./held-bytes.js";

/** Handshakes and pings take a few hundred bytes. */
const MAX_COMMAND_BYTES = 64 * 1024;
/** A worker's messages have one. */
const MAX_FRAMES = 8;
/** Memory that ZeroMQ needs for a frame besides its bytes. */
const FRAME_OVERHEAD_BYTES = 64;

export interface VisitOptions {
  /** Path of the socket of ZeroMQ. */
  readonly path: string;
  /** Under CURVE nobody but ZeroMQ sees which frames belong to one message. */
  readonly isEncrypted: boolean;
  /** Without a message by then the connection is closed. */
  readonly firstMessageMs: number;
  readonly held: HeldBytes<Visit>;
  /** @param why part of a sentence about the connection */
  readonly onRefused: (why: string) => void;
}

/** One connection at the door: its bytes pass to ZeroMQ and back, and are inspected on the way. */
export class Visit implements Holder {
  heldBytes = 0;
  readonly #client: Socket;
  readonly #options: VisitOptions;
  readonly #fromClient = new FrameReader({
    begins: (frame) => this.#clientBegins(frame),
    ends: (frame) => this.#clientEnds(frame),
  });
  readonly #fromHub = new FrameReader({
    begins: () => undefined,
    ends: ({ isCommand }) => this.#hubSaid(isCommand),
  });
  readonly #deadline: NodeJS.Timeout;
  #hub: Socket | undefined;
  #numFrames = 0;
  #hasSpoken = false;

  constructor(client: Socket, options: VisitOptions) {
    this.#client = client;
    this.#options = options;
    this.#deadline = setTimeout(() => this.#end(), options.firstMessageMs);
    options.held.add(this);
    client.once("close", () => this.#end());
    // A silent connection needs no connection to ZeroMQ.
    client.once("data", (bytes) => this.#enter(bytes));
  }

  cut(why: string): void {
    this.#options.onRefused(`was cut off: ${why}`);
    this.#end();
  }

  #enter(bytes: Buffer): void {
    if (!this.#looksAt(bytes)) return;
    const hub = connect(this.#options.path);
    this.#hub = hub;
    hub.write(bytes);
    // These listeners come first, so that bytes that are cut off are not passed on.
    this.#client.on("data", (more) => this.#looksAt(more));
    hub.on("data", (answer) => this.#fromHub.read(answer));
    this.#client.pipe(hub);
    hub.pipe(this.#client);
    hub.on("error", () => undefined);
    hub.once("close", () => this.#hubLeft());
  }

  /** Whether it stays. */
  #looksAt(bytes: Buffer): boolean {
    if (!this.#fromClient.read(bytes)) this.cut("it does not speak ZMTP 3");
    return !this.#client.destroyed;
  }

  #clientBegins({ size, isCommand }: Frame): void {
    if (!isCommand) {
      this.#numFrames++;
      this.#hold(size + FRAME_OVERHEAD_BYTES);
      const { isEncrypted } = this.#options;
      if (!isEncrypted && this.#numFrames > MAX_FRAMES) {
        this.cut(`its message has more than ${MAX_FRAMES} frames`);
      }
    } else if (size > MAX_COMMAND_BYTES) {
      this.cut(`its command has ${size} bytes, more than ${MAX_COMMAND_BYTES}`);
    }
  }

  #clientEnds({ isCommand, hasMore }: Frame): void {
    if (isCommand) return;
    this.#hasSpoken = true;
    clearTimeout(this.#deadline);
    if (!this.#options.isEncrypted && !hasMore) this.#letGo();
  }

  /** Who is in the middle of an endless message gets no answers to it. */
  #hubSaid(isCommand: boolean): void {
    if (this.#options.isEncrypted && !isCommand) this.#letGo();
  }

  #hold(bytes: number): void {
    this.heldBytes += bytes;
    this.#options.held.changed(this, bytes);
  }

  #letGo(): void {
    this.#numFrames = 0;
    this.#hold(-this.heldBytes);
  }

  /** ZeroMQ closes what breaks the protocol, takes no key, or is replaced by a newer connection. */
  #hubLeft(): void {
    if (!this.#client.destroyed && !this.#hasSpoken) {
      this.#options.onRefused("was refused by the handshake");
    }
    // What has been said to it may still be on its way.
    this.#client.destroySoon();
  }

  #end(): void {
    clearTimeout(this.#deadline);
    this.#options.held.remove(this);
    this.#client.destroy();
    this.#hub?.destroy();
  }
}
