import { readFileSync } from "node:fs";
import type { Socket } from "node:net";

/** Open files other than connections: database, logs, artifacts, pipes of processes. */
const RESERVED_FILES = 256;
const MAX_CONNECTIONS = 2_000;
const MIN_CONNECTIONS = 16;
/** Assumed where the limit cannot be read: the least that Linux and macOS give. */
const ASSUMED_OPEN_FILES = 256;

/**
 * How many connections a server may have so that the servers of a process together leave files that
 * can still be opened: gRPC, HTTP and workers each have a third of those that are not reserved.
 *
 * @param openFiles files that the process may have open at a time
 * @param filesPerConnection files that one connection takes
 */
export function connectionsWithin(openFiles: number, filesPerConnection = 1): number {
  const share = Math.floor((openFiles - RESERVED_FILES) / 3 / filesPerConnection);
  return Math.max(MIN_CONNECTIONS, Math.min(MAX_CONNECTIONS, share));
}

/** The soft limit of this process, which Node can read but not change. */
export function openFileLimit(path = "/proc/self/limits"): number {
  try {
    const soft = /^Max open files\s+(\d+|unlimited)/m.exec(readFileSync(path, "utf8"))?.[1];
    if (soft === "unlimited") return Number.POSITIVE_INFINITY;
    return soft === undefined ? ASSUMED_OPEN_FILES : Number(soft);
  } catch {
    return ASSUMED_OPEN_FILES;
  }
}

/** Counts the connections of a server, in total and per remote address. */
export class ConnectionLimits {
  readonly #max: number;
  readonly #maxPerAddress: number;
  readonly #perAddress = new Map<string, number>();
  #count = 0;

  constructor(max: number, maxPerAddress: number) {
    this.#max = max;
    this.#maxPerAddress = maxPerAddress;
  }

  /** Counts a connection until it closes, or closes it at once. @returns whether it may stay */
  admit(socket: Socket): boolean {
    const address = socket.remoteAddress ?? "";
    const ofAddress = this.#perAddress.get(address) ?? 0;
    if (this.#count >= this.#max || ofAddress >= this.#maxPerAddress) {
      socket.destroy();
      return false;
    }
    this.#count++;
    this.#perAddress.set(address, ofAddress + 1);
    socket.once("close", () => this.#left(address));
    return true;
  }

  #left(address: string): void {
    this.#count--;
    const left = (this.#perAddress.get(address) ?? 1) - 1;
    if (left > 0) this.#perAddress.set(address, left);
    else this.#perAddress.delete(address);
  }
}
