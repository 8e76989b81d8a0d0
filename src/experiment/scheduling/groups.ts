const NOTHING: ReadonlySet<never> = new Set();

/** Sets by a key, each in the order in which its members came; an empty one takes no memory. */
export class Groups<Key, Member> {
  readonly #sets = new Map<Key, Set<Member>>();

  add(key: Key, member: Member): void {
    const found = this.#sets.get(key);
    if (found) found.add(member);
    else this.#sets.set(key, new Set([member]));
  }

  remove(key: Key, member: Member): void {
    const found = this.#sets.get(key);
    if (found?.delete(member) && found.size === 0) this.#sets.delete(key);
  }

  of(key: Key): ReadonlySet<Member> {
    return this.#sets.get(key) ?? NOTHING;
  }

  /** Keys with members, and these. */
  entries(): IterableIterator<[Key, ReadonlySet<Member>]> {
    return this.#sets.entries();
  }
}
