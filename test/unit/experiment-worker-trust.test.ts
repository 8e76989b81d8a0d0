import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { FailureKind } from "../../src/errors.js";
import { Roster } from "../../src/experiment/scheduling/roster.js";
import { WorkerTrust } from "../../src/experiment/scheduling/worker-trust.js";
import { Hello } from "../../src/generated/stillhouse/v1/worker.js";
import { failureOf, plannedRecord } from "../fixtures/experiments.js";

const MINUTE_MS = 60_000;

/** A remote worker, and what fails on it; an experiment is "OWNER.SPEC". */
class Trial {
  nowMs = 0;
  readonly warnings: string[] = [];
  readonly dismissed: string[] = [];
  readonly roster = new Roster(() => this.nowMs);
  readonly trust: WorkerTrust;

  /** @param waiting owners with unfinished experiments */
  constructor(waiting: readonly string[], isLaunched = false) {
    const shape = { device: "cpu", numDevices: 1, memoryBytes: 0 };
    if (isLaunched) this.roster.addLaunched("w", "local", shape);
    this.roster.register(Hello.fromPartial({ workerId: "w", device: "cpu", host: "h", pid: 1 }));
    const find = (id: string) => {
      const [owner = "", specHash = ""] = id.split(".");
      const record = plannedRecord(id);
      return { ...record, experiment: { ...record.experiment, owner, specHash } };
    };
    const warn = (message: string) => void this.warnings.push(message);
    const log = { debug: warn, info: warn, warn, error: warn };
    const ledger = { find, ownersOfUnfinished: () => [...waiting] };
    const staffing = { dismiss: (id: string) => void this.dismissed.push(id) };
    this.trust = new WorkerTrust({ roster: this.roster, ledger, log }, staffing);
  }

  fail(...experiments: readonly string[]): void {
    for (const id of experiments) {
      const failure = failureOf(FailureKind.EXHAUSTED);
      this.trust.noteFailure("w", `${id}-distill`, failure);
    }
  }

  get isAside(): boolean {
    return this.roster.idleWorkers("cpu").length === 0;
  }
}

function specs(owner: string, count: number): string[] {
  return Array.from({ length: count }, (_, at) => `${owner}.${at}`);
}

describe("a worker on which things fail", () => {
  test("is not set aside for one spec, however often it fails", () => {
    const trial = new Trial([]);
    trial.fail(...Array<string>(20).fill("ann.1"));
    assert.equal(trial.isAside, false);
  });

  test("is not set aside for one owner while another one has work", () => {
    const trial = new Trial(["ann", "bob"]);
    trial.fail(...specs("ann", 20));
    assert.equal(trial.isAside, false);
    trial.fail("bob.1");
    assert.equal(trial.isAside, true);
  });

  test("is set aside for five specs of the only owner", () => {
    const trial = new Trial(["ann"]);
    trial.fail(...specs("ann", 4));
    assert.equal(trial.isAside, false);
    trial.fail("ann.4");
    assert.equal(trial.isAside, true);
    assert.match(trial.warnings.join("\n"), /worker w is set aside for 1 min: 5 different specs/);
  });

  test("comes back after a time that grows, and is cleared by a success", () => {
    const trial = new Trial([]);
    const asideAfter = (...experiments: string[]) => {
      trial.fail(...experiments);
      const [entry] = trial.roster.workers();
      return entry ? trial.roster.asideForMs(entry) : 0;
    };
    assert.equal(asideAfter(...specs("ann", 5)), MINUTE_MS);
    trial.nowMs += MINUTE_MS;
    assert.equal(trial.isAside, false);
    assert.equal(asideAfter("ann.0"), 0);
    assert.equal(asideAfter("ann.5"), 2 * MINUTE_MS);
    for (let at = 6; at < 30; at++) {
      trial.nowMs += 60 * MINUTE_MS;
      asideAfter(`ann.${at}`);
    }
    trial.nowMs += 60 * MINUTE_MS;
    assert.equal(asideAfter("ann.30"), 60 * MINUTE_MS);
    trial.nowMs += 60 * MINUTE_MS;
    trial.trust.noteSuccess("w");
    assert.equal(asideAfter(...specs("ann", 4)), 0);
    assert.equal(asideAfter("ann.4"), MINUTE_MS);
  });

  test("is replaced if it was launched from here", () => {
    const trial = new Trial([], true);
    trial.fail(...specs("ann", 5));
    assert.deepEqual(trial.dismissed, ["w"]);
  });

  test("is not blamed for failures of the spec, or for unknown ones", () => {
    const trial = new Trial([]);
    for (const id of specs("ann", 9)) {
      trial.trust.noteFailure("w", `${id}-distill`, failureOf(FailureKind.DIVERGED));
    }
    assert.equal(trial.isAside, false);
  });
});
