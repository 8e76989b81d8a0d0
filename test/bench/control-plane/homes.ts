import type { ExperimentRecord } from "../../../src/experiment/record.js";
import { completeTask, leaseTask } from "../../../src/experiment/transitions.js";
import type { ExperimentSpec } from "../../../src/generated/stillhouse/v1/spec.js";
import { SqliteExperimentStore } from "../../../src/store/experiment-store.js";
import { makeHome } from "../../../src/store/home.js";
import { openDatabase } from "../../../src/store/schema.js";
import { DISTILLED, LEARNERS, plannedRecord, resolvedSpec } from "../../fixtures/experiments.js";

/** An experiment of baselines alone: each of its tasks can start at once and hands in no artifact. */
export function baselineSpec(seed: number, numTasks: 1 | 3): ExperimentSpec {
  const spec = resolvedSpec();
  spec.seed = seed;
  spec.evaluation = { ...spec.evaluation, inits: 0 } as typeof spec.evaluation;
  spec.baseline = { ...spec.baseline, full: numTasks === 3, random: numTasks === 3 };
  return spec;
}

/** Stores experiments that wait, all of different seeds. */
export function storeQueued(home: string, count: number, numTasks: 1 | 3): void {
  const records = Array.from({ length: count }, (_, index) =>
    plannedRecord(`queued${index}`, baselineSpec(index + 1, numTasks)),
  );
  storeAll(home, records);
}

/** Stores experiments that have succeeded, each with the five tasks of a usual one. */
export function storeFinished(home: string, count: number): void {
  const records = Array.from({ length: count }, (_, index) => {
    const spec = resolvedSpec();
    spec.seed = index + 1;
    return finished(plannedRecord(finishedId(index), spec));
  });
  storeAll(home, records);
}

export function finishedId(index: number): string {
  return `finished${index}`;
}

function finished(record: ExperimentRecord): ExperimentRecord {
  const now = new Date();
  return record.tasks.reduce((before, { task }) => {
    const result = task.work?.kind?.$case === "distill" ? DISTILLED : LEARNERS;
    return completeTask(leaseTask(before, task.id, now), task.id, result, now);
  }, record);
}

function storeAll(home: string, records: readonly ExperimentRecord[]): void {
  const file = openDatabase(makeHome(home).database);
  // Nothing of it needs to outlive a loss of power, and it would take minutes.
  file.pragma("synchronous = OFF");
  const store = new SqliteExperimentStore(file);
  for (const record of records) store.create({ record, tasks: record.tasks, events: [] }, "");
  file.close();
}
