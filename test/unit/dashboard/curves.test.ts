import assert from "node:assert/strict";
import { describe, test } from "node:test";

import {
  type Curve,
  chartsByMetric,
  curveGroups,
  curveLabel,
  curvesOf,
  smoothed,
  stepsPerSecond,
  valueAt,
  withPoints,
} from "../../../src/dashboard/model/curves.js";
import { MetricSeries } from "../../../src/generated/page/stillhouse/v1/service.js";
import { MetricDescriptor } from "../../../src/generated/stillhouse/v1/service.js";
import { metricDescriptor } from "../../../src/metric-descriptors.js";

function curve(name: string, steps: number[], values: (number | null)[]): Curve {
  const descriptor = MetricSeries.fromJSON({
    descriptor: MetricDescriptor.toJSON(metricDescriptor(name)),
  }).descriptor;
  return { taskId: "x1-distill", name, steps, values, numPoints: steps.length, descriptor };
}

function point(name: string, step: number, value: number | null) {
  return { taskId: "x1-distill", name, step, value };
}

describe("curves", () => {
  test("are read from series, with gaps for values that are not numbers", () => {
    const [read] = curvesOf([
      MetricSeries.fromJSON({
        task_id: "t",
        name: "outer_loss",
        steps: ["1", "2"],
        values: [0.5, "NaN"],
        num_points: "900",
      }),
    ]);
    assert.deepEqual(read, {
      taskId: "t",
      name: "outer_loss",
      steps: [1, 2],
      values: [0.5, null],
      numPoints: 900,
      descriptor: undefined,
    });
  });

  test("take new points at their end, and new names as new curves, sorted by name", () => {
    const old = [curve("outer_loss", [1, 2], [3, 2])];
    const next = withPoints(old, [point("outer_loss", 3, 1), point("grad_norm", 3, 0.1)]);
    assert.deepEqual(
      next.map(({ name, steps, values }) => [name, steps, values]),
      [
        ["grad_norm", [3], [0.1]],
        ["outer_loss", [1, 2, 3], [3, 2, 1]],
      ],
    );
    assert.equal(next[1]?.numPoints, 3);
  });

  test("take the later value of a step that was computed twice", () => {
    const old = [curve("outer_loss", [1, 2, 3, 4], [9, 8, 7, 6])];
    const [next] = withPoints(old, [point("outer_loss", 3, 70), point("outer_loss", 5, 50)]);
    assert.deepEqual(next?.steps, [1, 2, 3, 4, 5]);
    assert.deepEqual(next?.values, [9, 8, 70, 6, 50]);
    assert.equal(next?.numPoints, 5);
  });

  test("stay unchanged themselves when points are added", () => {
    const old = [curve("outer_loss", [1], [3])];
    withPoints(old, [point("outer_loss", 2, 2)]);
    assert.deepEqual(old[0]?.steps, [1]);
  });

  test("are smoothed by the mean of neighbours, without gaps", () => {
    const values = Array.from({ length: 100 }, (_, at) => at);
    const smooth = smoothed(values, 0.04);
    assert.equal(smooth[50], 50);
    assert.equal(smooth[0], 1);
    assert.equal(smoothed([1, null, 3, ...Array(97).fill(3)], 0.04)[0], 2);
    assert.deepEqual(smoothed([1, 2, 3]), [1, 2, 3]);
  });

  test("follow the straight line between two points", () => {
    const line = curve("a", [10, 20], [1, 3]);
    assert.equal(valueAt(line, 15), 2);
    assert.equal(valueAt(line, 20), 3);
    assert.equal(valueAt(line, 5), 1);
    assert.equal(valueAt(line, 30), 3);
  });

  test("of steps per second divide one by the time of all phases, though each is thinned out otherwise", () => {
    const { steps, values } = stepsPerSecond([
      curve("seconds_inner", [1, 2, 3], [0.1, 0.2, 0.3]),
      curve("seconds_outer", [1, 3], [0.4, 0.2]),
    ]);
    assert.deepEqual(steps, [1, 2, 3]);
    assert.deepEqual(
      values.map((value) => value?.toFixed(6)),
      ["2.000000", "2.000000", "2.000000"],
    );
  });

  test("of one group share a chart, with the titles of their descriptors", () => {
    const names = [
      "seconds_walk",
      "validation_accuracy",
      "inner_loss",
      "inner_lr_12",
      "outer_loss",
    ];
    const groups = curveGroups(names.map((name) => curve(name, [1], [1])));
    assert.deepEqual(
      groups.map(({ title, isPercent, curves }) => [title, isPercent, curves.map(curveLabel)]),
      [
        ["Loss", false, ["before (distilled data)", "after (real samples)"]],
        ["Validation accuracy", true, ["validation accuracy"]],
        ["Learned rates", false, ["η of step 12"]],
        ["Where the time goes", false, ["way back"]],
      ],
    );
  });

  test("of one metric of several tasks share a chart, and are called as their tasks", () => {
    const of = (taskId: string, name: string) => ({ ...curve(name, [1], [0.5]), taskId });
    const curves = [
      of("a", "accuracy_on_tasks"),
      of("b", "accuracy_on_tasks"),
      of("c", "train_loss"),
      of("c", "accuracy"),
    ];
    const names = new Map([
      ["a", "Replay, naive, seed 0"],
      ["b", "Replay, distilled, seed 0"],
      ["c", "Full data"],
    ]);
    assert.deepEqual(
      chartsByMetric(curves, names).map(({ title, labels }) => [title, labels]),
      [
        ["Accuracy on the tasks so far", ["Replay, naive, seed 0", "Replay, distilled, seed 0"]],
        ["Training loss: Full data", ["Full data"]],
      ],
    );
  });

  test("of an unknown metric have a chart of their own, after the others", () => {
    const groups = curveGroups(
      ["entropy_of_labels", "grad_norm"].map((name) => curve(name, [1], [1])),
    );
    assert.deepEqual(
      groups.map(({ title, curves }) => [title, curves.length]),
      [
        ["Gradient norm", 1],
        ["Entropy of labels", 1],
      ],
    );
  });
});
