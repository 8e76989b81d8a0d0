/** Whose turn it is: the owner with the fewest running tasks, then with the least recent turn. */
export class TurnTaking {
  readonly #numRunning = new Map<string, number>();
  readonly #lastTurn = new Map<string, number>();
  #numTurns = 0;

  /** A copy for looking ahead. */
  copy(): TurnTaking {
    const copy = new TurnTaking();
    for (const [owner, count] of this.#numRunning) copy.#numRunning.set(owner, count);
    for (const [owner, turn] of this.#lastTurn) copy.#lastTurn.set(owner, turn);
    copy.#numTurns = this.#numTurns;
    return copy;
  }

  noteStart(owner: string): void {
    this.#numRunning.set(owner, this.#runningOf(owner) + 1);
    this.#lastTurn.set(owner, ++this.#numTurns);
  }

  noteEnd(owner: string): void {
    this.#numRunning.set(owner, this.#runningOf(owner) - 1);
  }

  /** Less than 0 where `owner` comes before `other`. */
  compare(owner: string, other: string): number {
    return (
      this.#runningOf(owner) - this.#runningOf(other) ||
      (this.#lastTurn.get(owner) ?? 0) - (this.#lastTurn.get(other) ?? 0)
    );
  }

  #runningOf(owner: string): number {
    return this.#numRunning.get(owner) ?? 0;
  }
}
