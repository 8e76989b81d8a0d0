import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { FailureKind } from "../../src/errors.js";
import { StorageFault } from "../../src/experiment/domain/storage-fault.js";
import { LONGEST_FAULT_MS, StorageGuard } from "../../src/experiment/scheduling/storage-guard.js";

const FULL = new StorageFault(FailureKind.EXHAUSTED, "the disk is full");
const FAULTY = new StorageFault(FailureKind.ENVIRONMENT, "the disk is faulty");
const DAMAGED = new StorageFault(FailureKind.ENVIRONMENT, "damaged", {
  isLasting: true,
});

/** A guard whose storage has the fault that a test gives it, or none. */
class Guarded {
  nowMs = 0;
  fault: StorageFault | undefined;
  readonly done: string[] = [];
  readonly guard = new StorageGuard({
    storage: { assertWritable: () => this.#write() },
    clock: { now: () => new Date(0), monotonicMs: () => this.nowMs },
    log: { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} },
    onFault: ({ message }) => this.done.push(message),
    onRecovery: () => this.done.push("recovered"),
    onBroken: ({ message }) => this.done.push(`broken: ${message}`),
  });

  #write(): void {
    if (this.fault) throw this.fault;
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
  it("delays everything until there is space, then does what cannot be repeated, in order", () => {
    const guarded = new Guarded();
    const { guard } = guarded;
    guarded.fault = FULL;
    guard.runOnce(guarded.action("one"));
    guard.run(guarded.action("comes again"));
    guard.runOnce(guarded.action("two"));
    assert.equal(guard.fault, FULL);
    assert.deepEqual(guarded.after(1_000), []);
    guarded.fault = undefined;
    assert.deepEqual(guarded.after(1_999), [], "it is not tried all the time");
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

describe("a fault of the storage", () => {
  it("is retried as long as it lasts, with pauses of at most a quarter of a minute", () => {
    const guarded = new Guarded();
    guarded.fault = FAULTY;
    guarded.guard.run(guarded.action("one"));
    for (const pauseMs of [1_000, 2_000, 4_000, 8_000, 15_000, 15_000]) {
      assert.deepEqual(guarded.after(pauseMs), []);
    }
    guarded.fault = undefined;
    assert.deepEqual(guarded.after(15_000), ["recovered"]);
  });

  it("that lasts too long is reported once, and retried", () => {
    const guarded = new Guarded();
    guarded.fault = FAULTY;
    guarded.guard.run(guarded.action("one"));
    assert.deepEqual(guarded.after(LONGEST_FAULT_MS), []);
    assert.deepEqual(guarded.after(1), ["broken: the disk is faulty"]);
    assert.deepEqual(guarded.after(LONGEST_FAULT_MS), []);
    guarded.fault = undefined;
    assert.deepEqual(guarded.after(15_000), ["recovered"]);
  });

  it("that returns after every apparent repair counts as lasting", () => {
    const guarded = new Guarded();
    const fail = () => {
      throw FAULTY;
    };
    let seen: string[] = [];
    for (let ms = 0; ms <= LONGEST_FAULT_MS + 60_000; ms += 15_000) {
      guarded.guard.run(fail);
      seen = [...seen, ...guarded.after(15_000)];
    }
    assert.equal(seen.filter((what) => what.startsWith("broken")).length, 1);
  });

  it("is reported at once where the database is damaged", () => {
    const guarded = new Guarded();
    guarded.fault = DAMAGED;
    guarded.guard.run(guarded.action("one"));
    assert.deepEqual(guarded.after(1), ["broken: damaged"]);
  });

  it("never counts as lasting where the disk is full, since a new process would find it as full", () => {
    const guarded = new Guarded();
    guarded.fault = FULL;
    guarded.guard.run(guarded.action("one"));
    assert.deepEqual(guarded.after(100 * LONGEST_FAULT_MS), []);
  });
});

it("any other error affects only its own step", () => {
  const guarded = new Guarded();
  const fail = (error: Error) => () => {
    throw error;
  };
  guarded.guard.run(fail(new TypeError("x is not a function")));
  const busy = Object.assign(new Error("directory not empty"), { code: "ENOTEMPTY" });
  guarded.guard.runOnce(fail(busy));
  assert.equal(guarded.guard.fault, undefined);
  guarded.guard.run(guarded.action("the next"));
  assert.deepEqual(guarded.done, ["the next"]);
});
