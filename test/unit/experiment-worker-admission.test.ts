import assert from "node:assert/strict";
import { join } from "node:path";
import { describe, type TestContext, test } from "node:test";
import { FailureKind, StillhouseError } from "../../src/errors.js";
import { UNOBSERVED } from "../../src/experiment/domain/observer.js";
import {
  type Standing,
  WorkerAdmission,
} from "../../src/experiment/scheduling/worker-admission.js";
import { Hello } from "../../src/generated/stillhouse/v1/worker.js";
import { openDatabase } from "../../src/store/schema.js";
import { SqliteWorkerIdStore } from "../../src/store/worker-id-store.js";
import { afterwards, temporaryFolder } from "../fixtures/temporary-folder.js";

const DAY_MS = 86_400_000;
const MAX_IDS = 5;

/** Keys whose tokens are their names. */
class NamedKeys {
  readonly ownWorkers = "own";
  readonly known = new Set(["a", "b", "own"]);
  isOpen = false;

  ownerOf(token: string): string | undefined {
    if (this.isOpen) return undefined;
    if (this.known.has(token)) return token;
    throw new StillhouseError(FailureKind.UNAUTHENTICATED, `no key ${token}`);
  }

  isKnown(owner: string): boolean {
    return this.known.has(owner);
  }
}

class Door {
  readonly keys = new NamedKeys();
  readonly warnings: string[] = [];
  numRefused = 0;
  /** What is known of launches, by worker id. */
  readonly launches = new Map<string, Standing>();
  nowMs = 0;
  readonly #admission: WorkerAdmission;

  constructor(t: TestContext) {
    const file = openDatabase(join(temporaryFolder(t), "stillhouse.db"));
    afterwards(t, () => file.close());
    const quiet = () => undefined;
    this.#admission = new WorkerAdmission({
      keys: this.keys,
      workerIds: new SqliteWorkerIdStore(file, MAX_IDS),
      standingOf: (id) => this.launches.get(id) ?? { kind: "other" },
      ids: { isOfWorker: (id) => id.startsWith("worker-") },
      observer: { ...UNOBSERVED, workerRefused: () => this.numRefused++ },
      clock: { now: () => new Date(this.nowMs), monotonicMs: () => this.nowMs },
      log: { debug: quiet, info: quiet, warn: (line) => this.warnings.push(line), error: quiet },
    });
  }

  ask(token: string, workerId: string, rest: Partial<Hello> = {}): string | undefined {
    const hello = Hello.fromPartial({ token, workerId, host: "h", protocol: 2, ...rest });
    return this.#admission.refusal(hello);
  }
}

describe("who may work under which id", () => {
  test("an id belongs to the key that first used it, and a key may have several", (t) => {
    const door = new Door(t);
    assert.deepEqual(
      [door.ask("a", "x"), door.ask("a", "y"), door.ask("a", "x")],
      [undefined, undefined, undefined],
    );
    assert.match(door.ask("b", "x") ?? "", /"x" belongs to another key.*--id NAME/);
    assert.equal(door.ask("b", "z"), undefined);
    door.keys.known.delete("a");
    assert.equal(door.ask("b", "x"), undefined, "a key that was removed frees its ids");
    assert.match(door.ask("a", "y") ?? "", /no key a/);
  });

  test("ids of local workers are reserved for their key, and all others are free", (t) => {
    const door = new Door(t);
    assert.match(door.ask("a", "worker-1") ?? "", /another key/);
    assert.equal(door.ask("own", "worker-1"), undefined);
  });

  test("the id of a launch is for the key of its pool, and for nobody once it has ended", (t) => {
    const door = new Door(t);
    door.launches.set("slurm-1", { kind: "launched", keyOwner: "b" });
    assert.match(door.ask("a", "slurm-1") ?? "", /another key/);
    assert.equal(door.ask("b", "slurm-1"), undefined);
    door.launches.set("slurm-1", { kind: "ended" });
    assert.match(door.ask("b", "slurm-1") ?? "", /the launch slurm-1 has ended/);
    door.keys.isOpen = true;
    assert.match(door.ask("", "slurm-1") ?? "", /has ended/);
  });

  test("without keys only the version is checked", (t) => {
    const door = new Door(t);
    assert.equal(door.ask("a", "x"), undefined);
    door.keys.isOpen = true;
    assert.equal(door.ask("", "x"), undefined);
    assert.match(door.ask("", "x", { protocol: 1 }) ?? "", /too old.*update it/);
  });

  test("ids and their number per key are limited: the oldest of that key are freed", (t) => {
    const door = new Door(t);
    for (const id of ["", "é".repeat(65)]) assert.match(door.ask("a", id) ?? "", /1 to 128 bytes/);
    assert.equal(door.ask("b", "other"), undefined);
    for (let number = 0; number <= MAX_IDS; number++) {
      door.nowMs = number;
      assert.equal(door.ask("a", `id-${number}`), undefined);
    }
    assert.equal(door.ask("b", "id-0"), undefined);
    assert.match(door.ask("b", "id-1") ?? "", /another key/);
    assert.match(door.ask("a", "other") ?? "", /another key/);
  });

  test("an id in use is kept, however many come after it", (t) => {
    const door = new Door(t);
    door.ask("a", "in-use");
    for (let number = 0; number < 2 * MAX_IDS; number++) {
      door.nowMs = number * DAY_MS;
      if (number % 3 === 0) door.ask("a", "in-use");
      door.ask("a", `id-${number}`);
    }
    assert.match(door.ask("b", "in-use") ?? "", /another key/);
  });

  test("many refusals are all counted, and few are logged", (t) => {
    t.mock.timers.enable({ apis: ["setTimeout"] });
    const door = new Door(t);
    for (let number = 0; number < 100; number++) door.ask("nobody", "x");
    assert.deepEqual([door.numRefused, door.warnings.length], [100, 1]);
    t.mock.timers.tick(10_000);
    assert.match(door.warnings[1] ?? "", /99 more such warnings in 10 s/);
    door.ask("nobody", "x");
    assert.equal(door.warnings.length, 3);
  });
});
