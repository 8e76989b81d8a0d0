import TinyQueue from "tinyqueue";
import { byPlace, type Entry, sizeOf } from "./ready-task.js";
import type { TurnTaking } from "./turn-taking.js";

/**
 * What is ready of one kind of device, priority, owner, number of members and about the same memory;
 * what has another status is skipped.
 */
interface Lane {
  readonly owner: string;
  readonly queue: TinyQueue<Entry>;
}

/** By priority, then by owner and size. */
type LanesOfKind = Map<number, Map<string, Lane>>;

/** Ready tasks in the order in which they should start, however many there are. */
export class Lanes {
  readonly #kinds = new Map<string, LanesOfKind>();
  readonly #turns: TurnTaking;
  readonly #firstOf: (queue: TinyQueue<Entry>) => Entry | undefined;

  /** @param firstOf the first of a queue that can start; takes what cannot out of the queue */
  constructor(turns: TurnTaking, firstOf: (queue: TinyQueue<Entry>) => Entry | undefined) {
    this.#turns = turns;
    this.#firstOf = firstOf;
  }

  /** @param kind of the device that it needs */
  add(kind: string, entry: Entry): void {
    const { owner, priority } = entry;
    const byPriority = made(this.#kinds, kind, (): LanesOfKind => new Map());
    const lanes = made(byPriority, priority, () => new Map<string, Lane>());
    const key = `${sizeOf(entry)} ${entry.numMembers} ${owner}`;
    made(lanes, key, () => ({ owner, queue: new TinyQueue<Entry>([], byPlace) })).queue.push(entry);
  }

  /** The first task of each lane, the first to start first. */
  *heads(kind: string): Generator<Entry> {
    const byPriority: LanesOfKind = this.#kinds.get(kind) ?? new Map();
    for (const priority of [...byPriority.keys()].sort((a, b) => b - a)) {
      const heads = this.#headsOf(byPriority.get(priority) ?? new Map());
      if (heads.length === 0) byPriority.delete(priority);
      yield* heads.sort((a, b) => this.#turns.compare(a.owner, b.owner) || byPlace(a, b));
    }
  }

  /** All tasks that are queued, for each priority, the highest first, and each lane, by their places. */
  *levels(): Generator<Iterable<Iterable<Entry>>> {
    const kinds = [...this.#kinds.values()];
    const priorities = new Set(kinds.flatMap((lanes) => [...lanes.keys()]));
    for (const priority of [...priorities].sort((a, b) => b - a)) {
      const lanes = kinds.flatMap((kind) => [...(kind.get(priority)?.values() ?? [])]);
      yield lanes.map(({ queue }) => inOrder(queue));
    }
  }

  #headsOf(lanes: Map<string, Lane>): Entry[] {
    const heads: Entry[] = [];
    for (const [key, { queue }] of lanes) {
      const head = this.#firstOf(queue);
      if (head) heads.push(head);
      else lanes.delete(key);
    }
    return heads;
  }
}

/** What a queue holds, first to last, without taking it out: its heap is walked from the top. */
function* inOrder({ data }: TinyQueue<Entry>): Generator<Entry> {
  const at = (index: number) => data[index] as Entry;
  const next = new TinyQueue<number>(data.length > 0 ? [0] : [], (a, b) => byPlace(at(a), at(b)));
  for (let index = next.pop(); index !== undefined; index = next.pop()) {
    yield at(index);
    for (const below of [2 * index + 1, 2 * index + 2]) if (below < data.length) next.push(below);
  }
}

function made<Key, Value>(map: Map<Key, Value>, key: Key, make: () => Value): Value {
  const value = map.get(key) ?? make();
  map.set(key, value);
  return value;
}
