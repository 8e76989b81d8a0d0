import { readFileSync } from "node:fs";
import type { Socket } from "node:net";

/** Files that are open besides connections: database, logs, artifacts, pipes of processes. */
const RESERVED_FILES = 256;
const MAX_CONNECTIONS = 2_000;
const MIN_CONNECTIONS = 16;
/** Where the limit cannot be read, what Linux and macOS give at least is assumed. */
const ASSUMED_OPEN_FILES = 256;

/**
 * How many connections a server may have, so that all servers of a process together leave files to
 * be opened: gRPC, HTTP and workers have a third each of what is not reserved.
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

/** Counts the connections of a server, in all and by the address that they come from. */
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
