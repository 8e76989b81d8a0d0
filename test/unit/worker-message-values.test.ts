import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { MetricPoint, TaskResult } from "../../src/generated/stillhouse/v1/experiment.js";
import { Failure } from "../../src/generated/stillhouse/v1/failure.js";
import { Heartbeat, TaskReport } from "../../src/generated/stillhouse/v1/worker.js";
import { valueFault } from "../../src/worker/message-values.js";

type Kind = NonNullable<TaskReport["kind"]>;

/** A report as it comes from the wire. */
function reportOf(kind: Kind, number = 1n): TaskReport {
  const value = { ...TaskReport.fromPartial({ taskId: "t", attempt: 1, number }), kind };
  return TaskReport.decode(TaskReport.encode(value).finish());
}

function points(point: Partial<MetricPoint>): Kind {
  const value = { points: [MetricPoint.fromPartial({ name: "loss", time: new Date() }), point] };
  return { $case: "metrics", value: value as { points: MetricPoint[] } };
}

function pointOf(values: Partial<MetricPoint>): MetricPoint {
  return { ...MetricPoint.fromPartial({ name: "loss" }), ...values };
}

describe("what a worker says", () => {
  it("may contain any metric and result of a learner, even NaN", () => {
    for (const value of [Number.NaN, Number.POSITIVE_INFINITY, -1e308, 0]) {
      assert.equal(valueFault(reportOf(points(pointOf({ value, time: new Date() })))), undefined);
      const inits = [{ initSeed: 1, accuracy: 0.5, loss: value }];
      const result = TaskResult.fromPartial({ kind: { $case: "learners", value: { inits } } });
      assert.equal(valueFault(reportOf({ $case: "result", value: result })), undefined);
    }
  });

  it("has counts below 2^53, and finite times and rates", () => {
    const step = points(pointOf({ step: 2n ** 53n }));
    assert.equal(
      valueFault(reportOf(step)),
      `metrics.points.step is beyond 2^53, got ${2n ** 53n}`,
    );
    assert.match(valueFault(reportOf(points(pointOf({})), 2n ** 63n)) ?? "", /^number is beyond/);
    const result = TaskResult.fromPartial({ wallTimeS: Number.NaN });
    const fault = valueFault(reportOf({ $case: "result", value: result }));
    assert.equal(fault, "result.wallTimeS must be finite, got NaN");
    const heartbeat = Heartbeat.fromPartial({ utilisation: Number.POSITIVE_INFINITY });
    assert.equal(valueFault(heartbeat), "utilisation must be finite, got Infinity");
  });

  it("has failures with few causes", () => {
    const nested = (levels: number): Failure =>
      Failure.fromPartial(levels === 0 ? {} : { message: "m", cause: nested(levels - 1) });
    assert.equal(valueFault(reportOf({ $case: "failure", value: nested(8) })), undefined);
    const fault = valueFault(reportOf({ $case: "failure", value: nested(50) }));
    assert.equal(fault, "failure.cause.cause is nested too deep");
  });
});
