import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { FailureKind, StillhouseError } from "../../src/errors.js";
import { StorageGuard } from "../../src/experiment/storage-guard.js";

const FULL = new StillhouseError(FailureKind.FAILURE_KIND_EXHAUSTED, "the disk is full");

/** A guard whose storage is full or not as a test says. */
class Guarded {
  nowMs = 0;
  isFull = false;
  readonly done: string[] = [];
  readonly guard = new StorageGuard({
    storage: { assertWritable: () => this.#write() },
    clock: { now: () => new Date(0), monotonicMs: () => this.nowMs },
    log: { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} },
    onFault: ({ message }) => this.done.push(message),
    onRecovery: () => this.done.push("recovered"),
  });

  #write(): void {
    if (this.isFull) throw FULL;
  }

  action(name: string): () => void {
    return () => {
      this.#write();
      this.done.push(name);
    };
  }

  /** @returns what was done meanwhile */
  after(waitMs: number): string[] {
    this.done.length = 0;
    this.nowMs += waitMs;
    this.guard.tick();
    return this.done;
  }
}

describe("a full disk", () => {
  it("holds all up until there is room; what is told once is done then, in its order", () => {
    const guarded = new Guarded();
    const { guard } = guarded;
    guarded.isFull = true;
    guard.runOnce(guarded.action("one"));
    guard.run(guarded.action("comes again"));
    guard.runOnce(guarded.action("two"));
    assert.equal(guard.fault, FULL);
    assert.deepEqual(guarded.after(1_000), []);
    guarded.isFull = false;
    assert.deepEqual(guarded.after(999), [], "it is not tried all the time");
    assert.deepEqual(guarded.after(1), ["recovered", "one", "two"]);
    assert.equal(guard.fault, undefined);
    guard.run(guarded.action("three"));
    assert.deepEqual(guarded.done.at(-1), "three");
  });

  it("that fills again at once is tried less often", () => {
    const guarded = new Guarded();
    const fail = () => {
      throw FULL;
    };
    for (const pauseMs of [1_000, 2_000, 4_000]) {
      guarded.guard.run(fail);
      assert.deepEqual(guarded.after(pauseMs - 1), []);
      assert.deepEqual(guarded.after(1), ["recovered"]);
    }
    guarded.nowMs += 1_000_000;
    guarded.guard.run(fail);
    assert.deepEqual(guarded.after(1_000), ["recovered"]);
  });
});

it("a defect holds all up for good", () => {
  const guarded = new Guarded();
  guarded.guard.run(() => {
    throw new TypeError("x is not a function");
  });
  assert.deepEqual(guarded.after(1_000_000), []);
  assert.equal(guarded.guard.fault?.kind, FailureKind.FAILURE_KIND_INTERNAL);
});
