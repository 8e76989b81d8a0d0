import assert from "node:assert/strict";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import { MetricPoint } from "../../src/generated/stillhouse/v1/experiment.js";
import { SqliteExperimentStore } from "../../src/store/experiment-store.js";
import { SqliteMetricStore } from "../../src/store/metric-store.js";
import { openDatabase, openForMetrics } from "../../src/store/schema.js";
import { plannedRecord } from "../fixtures/experiments.js";
import { afterwards, temporaryFolder } from "../fixtures/temporary-folder.js";

const TASK = "ex1-distill";
const END = Number.MAX_SAFE_INTEGER;

function storeOf(test: TestContext): SqliteMetricStore {
  const path = join(temporaryFolder(test), "stillhouse.db");
  const database = openDatabase(path);
  const file = openForMetrics(path);
  afterwards(test, () => database.close());
  afterwards(test, () => file.close());
  const record = plannedRecord();
  new SqliteExperimentStore(database).create({ record, tasks: record.tasks, events: [] }, "");
  return new SqliteMetricStore(file);
}

function pointsOf(
  steps: readonly number[],
  valueAt: (step: number) => number,
  { name = "loss", from = 1 } = {},
): MetricPoint[] {
  return steps.map((step, index) =>
    MetricPoint.fromPartial({
      sequence: BigInt(from + index),
      name,
      step: BigInt(step),
      value: valueAt(step),
    }),
  );
}

function counted(first: number, last: number): number[] {
  return Array.from({ length: last - first + 1 }, (_, index) => first + index);
}

function seriesOf(store: SqliteMetricStore, maxPoints: number, firstStep = 0, lastStep = END) {
  const [series] = store.series([TASK], ["loss"], () => ({ firstStep, lastStep, maxPoints }));
  assert.ok(series);
  const points = series.steps.map((step, at) => [Number(step), series.values[at] as number]);
  return { points, numPoints: Number(series.numPoints) };
}

describe("a series of a metric", () => {
  it("is read from a step onwards, a limited number of points at a time, as reported", (test) => {
    const store = storeOf(test);
    const valueAt = (step: number) => (step === 20 ? Number.NaN : step / 4);
    store.appendMetrics(TASK, 1, pointsOf([30, 10, 20, 40], valueAt));
    assert.deepEqual(store.points(TASK, "loss", 11, 2), [
      { step: 20, value: Number.NaN, timeMs: 0 },
      { step: 30, value: 7.5, timeMs: 0 },
    ]);
    assert.deepEqual(store.points(TASK, "other", 0, 2), []);
  });

  it("has every point where it is short, in the order of steps, within the range asked for", (test) => {
    const store = storeOf(test);
    store.appendMetrics(
      TASK,
      1,
      pointsOf([30, 10, 20], (step) => step / 4),
    );
    store.appendMetrics(
      TASK,
      1,
      pointsOf([40], () => Number.NaN, { from: 4 }),
    );
    const all = [[10, 2.5], [20, 5], [30, 7.5], [40, Number.NaN]]; // biome-ignore format: a table
    assert.deepEqual(seriesOf(store, 4), { points: all, numPoints: 4 });
    assert.deepEqual(seriesOf(store, 4, 11, 30), { points: all.slice(1, 3), numPoints: 2 });
    assert.deepEqual(seriesOf(store, 4, 41), { points: [], numPoints: 0 });
  });

  it("has the later value where two attempts computed a step", (test) => {
    const store = storeOf(test);
    store.appendMetrics(
      TASK,
      1,
      pointsOf(counted(1, 100), () => 1),
    );
    // The second attempt replaces the least and the greatest value.
    store.appendMetrics(
      TASK,
      1,
      pointsOf([101], () => -9, { from: 101 }),
    );
    store.appendMetrics(
      TASK,
      1,
      pointsOf([102], () => 9, { from: 102 }),
    );
    store.appendMetrics(
      TASK,
      2,
      pointsOf(counted(91, 103), () => 2),
    );
    // A point that the first attempt sends again comes too late.
    store.appendMetrics(
      TASK,
      1,
      pointsOf([102], () => 9, { from: 102 }),
    );
    const { points, numPoints } = seriesOf(store, 200);
    assert.equal(numPoints, 103);
    assert.deepEqual(points.slice(88, 92), [[89, 1], [90, 1], [91, 2], [92, 2]]); // biome-ignore format: a table
    const [summary] = store.summaries([TASK]);
    assert.equal(summary?.numPoints, 103n);
    assert.deepEqual(summary?.last, { step: 103n, value: 2 });
    assert.deepEqual(summary?.min?.value, 1);
    assert.deepEqual(summary?.max?.value, 2);
  });

  it("ends at its greatest step, also where points of an earlier attempt come late", (test) => {
    const store = storeOf(test);
    const valueAt = (step: number) => step / 4;
    store.appendMetrics(TASK, 1, pointsOf(counted(1, 20), valueAt));
    store.appendMetrics(TASK, 2, pointsOf(counted(31, 50), valueAt));
    store.appendMetrics(TASK, 1, pointsOf(counted(21, 30), valueAt, { from: 21 }));
    const [summary] = store.summaries([TASK]);
    assert.equal(summary?.numPoints, 50n);
    assert.deepEqual(summary?.last, { step: 50n, value: 12.5 });
  });

  it("is thinned out to its outline: ends, peaks and dips stay where they are", (test) => {
    const store = storeOf(test);
    const value = (step: number) => (step === 4321 ? 50 : step === 7007 ? -50 : Math.sin(step));
    for (let from = 0; from < 10_000; from += 500) {
      const steps = counted(from + 1, from + 500);
      store.appendMetrics(TASK, 1, pointsOf(steps, value, { from: from + 1 }));
    }
    for (const maxPoints of [2, 3, 4, 5, 100, 101, 1000]) {
      const { points, numPoints } = seriesOf(store, maxPoints);
      assert.equal(numPoints, 10_000);
      assert.ok(
        points.length <= maxPoints && points.length >= 0.6 * maxPoints - 3,
        `${points.length}`,
      );
      assert.deepEqual([points[0]?.[0], points.at(-1)?.[0]], [1, 10_000]);
      assert.ok(points.every(([step, got]) => got === value(step as number)));
      const steps = points.map(([step]) => step as number);
      assert.deepEqual(
        steps,
        [...new Set(steps)].sort((a, b) => a - b),
      );
      if (maxPoints >= 4) assert.ok(steps.includes(4321) && steps.includes(7007));
    }
    const { points } = seriesOf(store, 10, 4000, 4999);
    assert.ok(points.some(([step]) => step === 4321));
    assert.deepEqual([points[0]?.[0], points.at(-1)?.[0]], [4000, 4999]);
  });

  it("has its true extremes and number in every range, whatever attempts wrote it", (test) => {
    const store = storeOf(test);
    const known = new Map<number, number>();
    let seed = 7;
    const draw = (count: number) => {
      seed = (seed * 48_271) % 2_147_483_647;
      return seed % count;
    };
    let sequence = 0;
    const write = (attempt: number, first: number, last: number) => {
      const steps = counted(first, last).filter(() => draw(10) > 0);
      const values = new Map(steps.map((step) => [step, draw(1_000_000)]));
      const value = (step: number) => values.get(step) ?? 0;
      store.appendMetrics(TASK, attempt, pointsOf(steps, value, { from: sequence + 1 }));
      sequence += steps.length;
      for (const [step, written] of values) known.set(step, written);
    };
    for (let first = 3; first < 9_000; first += 300) write(1, first, first + 299);
    // The second attempt goes back over blocks that are already full.
    for (let first = 5_000; first < 14_000; first += 450) write(2, first, first + 449);
    const ranges = Array.from({ length: 60 }, () => [draw(15_000), draw(15_000)].sort((a, b) => a - b)); // biome-ignore format: one line
    for (const [first = 0, last = 0] of [[0, END], ...ranges]) {
      const within = [...known].filter(([step]) => step >= first && step <= last);
      const truth = within.map(([, value]) => value);
      for (const maxPoints of [10, 12, 40]) {
        const { points, numPoints } = seriesOf(store, maxPoints, first, last);
        assert.equal(numPoints, within.length, `${first} to ${last}`);
        assert.ok(points.length <= maxPoints);
        const steps = points.map(([step]) => step as number);
        assert.deepEqual(
          steps,
          [...new Set(steps)].sort((a, b) => a - b),
        );
        assert.ok(points.every(([step, value]) => known.get(step as number) === value));
        const values = points.map(([, value]) => value as number);
        if (within.length === 0) continue;
        assert.equal(Math.min(...values), Math.min(...truth), `${first} to ${last}`);
        assert.equal(Math.max(...values), Math.max(...truth), `${first} to ${last}`);
      }
    }
  });

  it("is one of several, in the order of tasks and names", (test) => {
    const store = storeOf(test);
    for (const task of ["ex1-evaluate", TASK]) {
      for (const name of ["loss", "accuracy"]) {
        store.appendMetrics(
          task,
          1,
          pointsOf([1], () => 0.5, { name }),
        );
      }
    }
    const range = () => ({ firstStep: 0, lastStep: END, maxPoints: 10 });
    const found = (names: string[]) =>
      store.series([TASK, "ex1-evaluate"], names, range).map((s) => `${s.taskId} ${s.name}`);
    const [distill, evaluate] = [`${TASK} `, "ex1-evaluate "];
    const all = [`${distill}accuracy`, `${distill}loss`, `${evaluate}accuracy`, `${evaluate}loss`];
    assert.deepEqual(found([]), all);
    assert.deepEqual(found(["loss", "no such"]), [`${distill}loss`, `${evaluate}loss`]);
  });
});
