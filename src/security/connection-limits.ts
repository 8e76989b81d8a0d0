import { readFileSync } from "node:fs";
import type { Socket } from "node:net";

/** Open files other than connections: database, logs, artifacts, pipes of processes. */
const RESERVED_FILES = 256;
const MAX_CLIENTS = 2_000;
/** Bounds the memory of connections that never say a word. */
const MAX_WORKERS = 20_000;
/** The connection of a worker, and both ends of the one from there to ZeroMQ. */
const FILES_PER_WORKER = 3;
const MIN_CONNECTIONS = 16;
/** Assumed where the limit cannot be read: the least that Linux and macOS give. */
const ASSUMED_OPEN_FILES = 256;
/** Shares of the connections at which somebody should know, and may be told once more. */
const NEARLY_FULL = 0.9;
const ROOMY = 0.8;

/** How many connections the servers of a process may have. */
export interface ConnectionRoom {
  /** Of gRPC, and of HTTP. */
  readonly clients: number;
  readonly workers: number;
}

/**
 * The connections that leave files which can still be opened. gRPC and HTTP each have a third of
 * those that are not reserved, up to 2,000; workers have the others.
 *
 * @param openFiles files that the process may have open at a time
 */
export function connectionsWithin(openFiles: number): ConnectionRoom {
  const free = openFiles - RESERVED_FILES;
  const clients = within(free / 3, MAX_CLIENTS);
  return { clients, workers: within((free - 2 * clients) / FILES_PER_WORKER, MAX_WORKERS) };
}

/** Whether a server with so many connections soon takes no more. */
export function isNearlyFull(count: number, max: number): boolean {
  return count >= NEARLY_FULL * max;
}

/** Files that this process may have open: Node has raised its soft limit to the hard one. */
export function openFileLimit(path = "/proc/self/limits"): number {
  try {
    const soft = /^Max open files\s+(\d+|unlimited)/m.exec(readFileSync(path, "utf8"))?.[1];
    if (soft === "unlimited") return Number.POSITIVE_INFINITY;
    return soft === undefined ? ASSUMED_OPEN_FILES : Number(soft);
  } catch {
    return ASSUMED_OPEN_FILES;
  }
}

/** What is told about a server's connections. */
export interface ConnectionNews {
  /** Few are left; told again only after many were free. */
  nearlyFull?(count: number, max: number): void;
  /** @param why ends a sentence about a connection that was closed at once */
  refused?(socket: Socket, why: string): void;
}

/** Counts the connections of a server, in total and per remote address. */
export class ConnectionLimits {
  readonly #max: number;
  readonly #maxPerAddress: number;
  readonly #news: ConnectionNews;
  readonly #perAddress = new Map<string, number>();
  #count = 0;
  #hasTold = false;

  constructor(max: number, maxPerAddress: number, news: ConnectionNews = {}) {
    this.#max = max;
    this.#maxPerAddress = maxPerAddress;
    this.#news = news;
  }

  /** Counts a connection until it closes, or closes it at once. @returns whether it may stay */
  admit(socket: Socket): boolean {
    const address = socket.remoteAddress ?? "";
    const ofAddress = this.#perAddress.get(address) ?? 0;
    const refusal = this.#refusal(ofAddress);
    if (refusal !== undefined) {
      this.#news.refused?.(socket, refusal);
      socket.destroy();
      return false;
    }
    this.#count++;
    this.#perAddress.set(address, ofAddress + 1);
    socket.once("close", () => this.#left(address));
    this.#look();
    return true;
  }

  #refusal(ofAddress: number): string | undefined {
    if (this.#count >= this.#max) return `all ${this.#max} places are taken`;
    if (ofAddress < this.#maxPerAddress) return undefined;
    return `all ${this.#maxPerAddress} places for one address are taken`;
  }

  #left(address: string): void {
    this.#count--;
    const left = (this.#perAddress.get(address) ?? 1) - 1;
    if (left > 0) this.#perAddress.set(address, left);
    else this.#perAddress.delete(address);
    this.#look();
  }

  #look(): void {
    if (this.#count < ROOMY * this.#max) this.#hasTold = false;
    if (this.#hasTold || !isNearlyFull(this.#count, this.#max)) return;
    this.#hasTold = true;
    this.#news.nearlyFull?.(this.#count, this.#max);
  }
}

function within(count: number, max: number): number {
  return Math.max(MIN_CONNECTIONS, Math.min(max, Math.floor(count)));
}
