import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import fc from "fast-check";
import { TaskResult } from "../../src/generated/stillhouse/v1/experiment.js";
import { WorkerMessage } from "../../src/generated/stillhouse/v1/worker.js";
import { CASE_LIMIT_MS, parametersOf, type Target, withPlane } from "./target.js";
import { malformed } from "./wire.js";

function examples(): Uint8Array[] {
  const hello = {
    workerId: "vandal",
    device: "cpu",
    deviceName: "",
    pid: 1,
    host: "h",
    versions: {},
    protocol: 2,
  };
  const lease = { taskId: "x-distill", attempt: 1, secret: "c2VjcmV0" };
  const point = { sequence: 1n, name: "loss", step: 1n, value: 0.5, time: new Date(0) };
  const report = (kind: object) => ({ report: { ...lease, number: 1n, ...kind } });
  const messages = [
    { hello },
    { heartbeat: { ...lease, progressCounter: 5n } },
    report({ metrics: { points: [point, { ...point, sequence: 2n }] } }),
    report({ log: { level: 2, message: "text" } }),
    report({ result: TaskResult.toJSON(TaskResult.fromPartial({ wallTimeS: 1 })) }),
    { goodbye: {} },
  ];
  return messages.map((message) =>
    WorkerMessage.encode(WorkerMessage.fromJSON(jsonOf(message))).finish(),
  );
}

function jsonOf(message: object): unknown {
  return JSON.parse(
    JSON.stringify(message, (_, value) => (typeof value === "bigint" ? String(value) : value)),
  );
}

/** Whatever a peer sends, it is dropped or counts as what it is, and others are served at once. */
export const fuzzZeroMq: Target = (extent) =>
  withPlane(extent, async (plane, fed) => {
    const vandal = plane.rawWorker("vandal");
    const honest = plane.rawWorker("honest");
    await honest.hello();
    await honest.next("welcome");
    const frames = fc.array(malformed(examples()), { minLength: 1, maxLength: 3 });
    const property = fc.asyncProperty(frames, async (message) => {
      await vandal.sendRaw(...message);
      await honest.hello();
      const limit = sleep(CASE_LIMIT_MS, undefined, { ref: false });
      const served = await Promise.race([honest.next("welcome"), limit]);
      assert.ok(served, "another worker was not served any more");
      await fed();
    });
    await fc.assert(property, parametersOf(extent));
  });
