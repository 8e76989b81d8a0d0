import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Roster } from "../../src/experiment/scheduling/roster.js";
import { Hello } from "../../src/generated/stillhouse/v1/worker.js";

const LEASE_MS = 30_000;

describe("a worker without a task", () => {
  it("is silent only when it has sent no message at all for that long", () => {
    let nowMs = 0;
    const roster = new Roster(() => nowMs);
    roster.register(Hello.fromPartial({ workerId: "w", device: "cpu" }));
    const load = { memoryTotalBytes: 8n, memoryUsedBytes: 4n, utilisation: 0.5 };
    roster.markHeard("w", load);
    for (let times = 0; times < 3; times++) {
      nowMs += LEASE_MS;
      // A report, which says nothing about the device.
      roster.markHeard("w");
      nowMs += 1;
      assert.deepEqual(roster.silentIdleWorkers(LEASE_MS), []);
    }
    assert.deepEqual(roster.find("w")?.load, load);
    nowMs += LEASE_MS;
    assert.deepEqual(roster.silentIdleWorkers(LEASE_MS), ["w"]);
  });
});
