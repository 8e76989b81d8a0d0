import { type Context, Reply } from "zeromq";
import { fewWarnings } from "../experiment/domain/line-rate.js";
import type { Log } from "../experiment/domain/ports.js";
import { encodeZ85 } from "./z85.js";

/** The CURVE keys of the control plane, in Z85. */
export interface CurveServer {
  readonly secretKey: string;
  /** Whether the worker with this public key may join; asked again for each connection. */
  isAllowed(publicKey: string): boolean;
}

/** Where libzmq asks, by its RFC 27. */
const ZAP_ENDPOINT = "inproc://zeromq.zap.01";
/** Any name: with one, libzmq lets nobody in while nobody answers for it. */
export const ZAP_DOMAIN = "stillhouse";
const VERSION = "1.0";
const CURVE_KEY_BYTES = 32;

/**
 * Decides which CURVE keys may connect. CURVE alone proves only that a client has some key; without
 * this gate any would do.
 */
export class CurveGate {
  readonly #socket: Reply;
  readonly #server: CurveServer;
  readonly #log: Log;
  readonly #refusals: Pick<Log, "warn">;
  #answering: Promise<void> = Promise.resolve();

  /** @param context of the sockets that it guards */
  constructor(context: Context, server: CurveServer, log: Log) {
    this.#socket = new Reply({ context, linger: 0 });
    this.#server = server;
    this.#log = log;
    this.#refusals = fewWarnings(log);
  }

  /** Call before a guarded socket is bound. */
  async open(): Promise<void> {
    await this.#socket.bind(ZAP_ENDPOINT);
    this.#answering = this.#answer();
  }

  async close(): Promise<void> {
    this.#socket.close();
    await this.#answering;
  }

  async #answer(): Promise<void> {
    for await (const frames of this.#socket) {
      const [version, requestId = Buffer.alloc(0)] = frames;
      const isFine = version?.toString() === VERSION && this.#admits(frames);
      const [code, text] = isFine ? ["200", "OK"] : ["400", "this key may not join"];
      await this.#socket.send([VERSION, requestId, code, text, "", ""]);
    }
  }

  #admits(frames: readonly Buffer[]): boolean {
    const [, , domain, , , mechanism, key] = frames;
    if (domain?.toString() !== ZAP_DOMAIN || mechanism?.toString() !== "CURVE") return false;
    if (key?.length !== CURVE_KEY_BYTES) return false;
    const publicKey = encodeZ85(key);
    const isAllowed = this.#isAllowed(publicKey);
    if (!isAllowed) {
      this.#refusals.warn(`a worker was refused: its CURVE key ${publicKey} is not allowed`);
    }
    return isAllowed;
  }

  /** A folder that cannot be read lets nobody in, and is reported. */
  #isAllowed(publicKey: string): boolean {
    try {
      return this.#server.isAllowed(publicKey);
    } catch (error) {
      this.#log.error(`no worker can join: ${(error as Error).message}`);
      return false;
    }
  }
}
