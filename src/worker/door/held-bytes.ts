/** Of one connection: more than the largest message that a worker has. */
const MAX_OF_ONE = 32 * 1024 * 1024;
/** Limit for all connections together. */
const MAX_OF_ALL = 256 * 1024 * 1024;

export interface Holder {
  /** Bytes that ZeroMQ may keep for it, since no message of it is complete yet. */
  readonly heldBytes: number;
  /** @param why part of a sentence about it */
  cut(why: string): void;
}

/** Bounds what ZeroMQ keeps of messages that are not complete: it would take them without end. */
export class HeldBytes<Held extends Holder> {
  readonly #maxOfOne: number;
  readonly #maxOfAll: number;
  readonly #holders = new Set<Held>();
  #total = 0;

  constructor(maxOfOne = MAX_OF_ONE, maxOfAll = MAX_OF_ALL) {
    this.#maxOfOne = maxOfOne;
    this.#maxOfAll = maxOfAll;
  }

  add(holder: Held): void {
    this.#holders.add(holder);
  }

  /** Call before it lets go of what it holds. */
  remove(holder: Held): void {
    if (this.#holders.delete(holder)) this.#total -= holder.heldBytes;
  }

  /** The bytes of a holder have grown or shrunk by this much; one that holds too many is cut off. */
  changed(holder: Held, byBytes: number): void {
    this.#total += byBytes;
    if (holder.heldBytes > this.#maxOfOne) {
      holder.cut(`its message has more than ${this.#maxOfOne} bytes`);
    }
    while (this.#total > this.#maxOfAll) {
      const most = this.#most();
      if (most === undefined) return;
      most.cut(`messages that are not complete have more than ${this.#maxOfAll} bytes together`);
    }
  }

  #most(): Held | undefined {
    let most: Held | undefined;
    for (const holder of this.#holders) {
      if (most === undefined || holder.heldBytes > most.heldBytes) most = holder;
    }
    return most;
  }
}
