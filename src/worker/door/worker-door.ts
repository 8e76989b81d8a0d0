import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fewWarnings } from "../../experiment/domain/line-rate.js";
import type { Log } from "../../experiment/domain/ports.js";
import { HeldBytes } from "./held-bytes.js";
import { Visit } from "./visit.js";

/** Handshake and hello take less than a second, and a worker says hello as soon as it can. */
const FIRST_MESSAGE_MS = 20_000;
/** Thousands of workers may connect in one moment; the system has a limit of its own. */
const BACKLOG = 4_096;
/** Time for the last words to workers. */
const CLOSE_GRACE_MS = 500;
/** Longest path of a socket on Linux and macOS, its zero byte included. */
const MAX_PATH_BYTES = 104;

export interface WorkerDoorOptions {
  /** Counts a connection, or closes it. @returns whether it may stay */
  readonly admit?: (socket: Socket) => boolean;
  /** A connection that has sent no message by then is closed. */
  readonly firstMessageMs?: number;
  readonly held?: HeldBytes<Visit>;
}

/**
 * Listens for workers in place of ZeroMQ, which would accept any number of connections, and
 * messages of any number of frames. Each connection is passed on to a socket of ZeroMQ in a folder
 * that only this user can enter.
 */
export class WorkerDoor {
  /** Where ZeroMQ is to listen. */
  readonly path: string;
  readonly #folder: string;
  readonly #server: Server;
  readonly #admit: (socket: Socket) => boolean;
  readonly #firstMessageMs: number;
  readonly #held: HeldBytes<Visit>;
  readonly #warnings: Pick<Log, "warn">;
  readonly #isEncrypted: boolean;
  readonly #sockets = new Set<Socket>();

  /** @param isEncrypted whether ZeroMQ wants CURVE */
  constructor(log: Log, isEncrypted: boolean, options: WorkerDoorOptions = {}) {
    this.#folder = privateFolder();
    this.path = join(this.#folder, "socket");
    this.#isEncrypted = isEncrypted;
    this.#admit = options.admit ?? (() => true);
    this.#firstMessageMs = options.firstMessageMs ?? FIRST_MESSAGE_MS;
    this.#held = options.held ?? new HeldBytes();
    this.#warnings = fewWarnings(log);
    this.#server = createServer({ noDelay: true }, (socket) => this.#take(socket));
  }

  /** @returns the port. Throws the error of the system. */
  async listen(host: string, port: number): Promise<number> {
    this.#server.listen({ port, host, backlog: BACKLOG });
    await once(this.#server, "listening");
    // If no file is left for a new connection, the existing ones continue.
    this.#server.on("error", () => undefined);
    return (this.#server.address() as AddressInfo).port;
  }

  /** Call when ZeroMQ has closed its socket: what it has said still arrives. */
  async close(): Promise<void> {
    if (this.#server.listening) this.#server.close();
    const left = Promise.all([...this.#sockets].map(closed));
    const patience = new AbortController();
    await Promise.race([left, sleep(CLOSE_GRACE_MS, undefined, patience)]);
    patience.abort();
    for (const socket of this.#sockets) socket.destroy();
    rmSync(this.#folder, { recursive: true, force: true });
  }

  #take(socket: Socket): void {
    // Without a listener an error of a connection would end the process.
    socket.on("error", () => undefined);
    if (!this.#admit(socket)) return;
    this.#sockets.add(socket);
    socket.once("close", () => this.#sockets.delete(socket));
    const address = socket.remoteAddress;
    new Visit(socket, {
      path: this.path,
      isEncrypted: this.#isEncrypted,
      firstMessageMs: this.#firstMessageMs,
      held: this.#held,
      onRefused: (why) => {
        // Who is sent away since we are closing is not refused.
        if (this.#server.listening) this.#warnings.warn(`a worker at ${address} ${why}`);
      },
    });
  }
}

/** One that fails closes too, and `once` of events would reject. */
function closed(socket: Socket): Promise<void> {
  return new Promise((resolve) => socket.once("close", () => resolve()));
}

function privateFolder(): string {
  const parent = tmpdir();
  const fits = Buffer.byteLength(parent) + "/stillhouse-XXXXXX/socket".length < MAX_PATH_BYTES;
  return mkdtempSync(join(fits ? parent : "/tmp", "stillhouse-"));
}
