import type { ExperimentRecord } from "../../../src/experiment/domain/record.js";
import { completeTask, leaseTask } from "../../../src/experiment/domain/transitions.js";
import { type Task, TaskResult } from "../../../src/generated/stillhouse/v1/experiment.js";
import type { ExperimentSpec } from "../../../src/generated/stillhouse/v1/spec.js";
import { SqliteExperimentStore } from "../../../src/store/experiment-store.js";
import { DISTILLED, plannedRecord, quickSpec, resolvedSpec } from "../../fixtures/experiments.js";
import { onDatabase } from "./bench-store.js";

/**
 * An experiment of baselines alone, whose tasks can all start at once, upload no artifact and wait
 * for no other experiment.
 */
export function baselineSpec(seed: number, numTasks: 1 | 3): ExperimentSpec {
  const spec = resolvedSpec();
  spec.seed = seed;
  spec.evaluation = { ...spec.evaluation, inits: 0 } as typeof spec.evaluation;
  const isMore = numTasks === 3;
  spec.baseline = { ...spec.baseline, full: false, random: isMore, herding: isMore };
  return spec;
}

/** Stores experiments that wait, each with its own seed. */
export function storeQueued(home: string, count: number, numTasks: 1 | 3): Promise<void> {
  const records = Array.from({ length: count }, (_, index) =>
    plannedRecord(`queued${index}`, baselineSpec(index + 1, numTasks)),
  );
  return storeAll(home, records);
}

/** Stores experiments that wait, each with a distillation and shards of its evaluation. */
export function storeSharded(home: string, count: number, numShards: number): Promise<void> {
  const specOf = (seed: number) => {
    const spec = quickSpec(seed);
    spec.evaluation = { ...spec.evaluation, inits: 10 * numShards } as typeof spec.evaluation;
    return spec;
  };
  const records = Array.from({ length: count }, (_, index) =>
    plannedRecord(`sharded${index}`, specOf(index + 1)),
  );
  return storeAll(home, records);
}

/** Stores experiments that have succeeded, each with tasks and learners as in the preset cpu. */
export function storeFinished(home: string, count: number): Promise<void> {
  const records = Array.from({ length: count }, (_, index) => {
    const spec = resolvedSpec((draft) => {
      draft.evaluation = {
        ...draft.evaluation,
        inits: 20,
        baselineInits: 5,
      } as ExperimentSpec["evaluation"];
    });
    spec.seed = index + 1;
    return finished(plannedRecord(finishedId(index), spec));
  });
  return storeAll(home, records);
}

export function finishedId(index: number): string {
  return `finished${index}`;
}

/** The learners that a task was asked for, on four classes, with every field that is stored. */
function learners({ work }: Task): TaskResult {
  const initSeeds = work?.kind?.$case === "distill" ? [] : (work?.kind?.value.initSeeds ?? []);
  const inits = initSeeds.map((initSeed, index) => ({
    initSeed,
    accuracy: 0.88 + index / 1_000,
    loss: 0.4 + index / 1_000,
    macroF1: 0.87 + index / 1_000,
    confusion: Array.from({ length: 16 }, (_, cell) => 100 + 7 * cell + index),
    trainTimeS: 1.5 + index / 100,
  }));
  const value = { inits, trainSamples: 4, gdSteps: 1 };
  return TaskResult.fromPartial({ kind: { $case: "learners", value }, wallTimeS: 540 });
}

function finished(record: ExperimentRecord): ExperimentRecord {
  const now = new Date();
  return record.tasks.reduce((before, { task }) => {
    const result = task.work?.kind?.$case === "distill" ? DISTILLED : learners(task);
    return completeTask(leaseTask(before, task.id, now), task.id, result, now);
  }, record);
}

function storeAll(home: string, records: readonly ExperimentRecord[]): Promise<void> {
  return onDatabase(home, false, (database) => {
    const store = new SqliteExperimentStore(database);
    for (const record of records) store.create({ record, tasks: record.tasks, events: [] }, "");
  });
}
