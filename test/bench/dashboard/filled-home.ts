import { planTasks } from "../../../src/experiment/domain/plan.js";
import type { ExperimentRecord } from "../../../src/experiment/domain/record.js";
import { withResult } from "../../../src/experiment/domain/resulted.js";
import {
  Experiment,
  MetricPoint,
  State,
  TaskResult,
} from "../../../src/generated/stillhouse/v1/experiment.js";
import { Labels } from "../../../src/generated/stillhouse/v1/spec.js";
import type { LocalStore } from "../../../src/store/local-store.js";
import { CODE_VERSION, resolvedSpec } from "../../fixtures/experiments.js";

/** Id of the experiment with many points. */
export const LONG_RUN = "longrun";

const LABELS = [Labels.HARD, Labels.RESTRICTED, Labels.UNRESTRICTED];
const NUM_INITS = 20;
/** Number of points that are stored at a time, as those of a worker are. */
const BATCH = 10_000;

/** Stores experiments that have ended, each with the results of its tasks. */
export function fillWithExperiments(store: LocalStore, count: number): void {
  for (let number = 0; number < count; number++) {
    store.experiments.create({ ...changeOf(`run${number}`, `run ${number}`, number) }, "");
  }
}

/** Stores an experiment with this many points, half of them of either loss. */
export function writeLongRun(store: LocalStore, numPoints: number): void {
  const change = changeOf(LONG_RUN, "a long run", 0);
  store.experiments.create(change, "");
  const taskId = change.record.tasks[0]?.task.id ?? "";
  for (let from = 0; from < numPoints; from += BATCH) {
    const points = Array.from({ length: Math.min(BATCH, numPoints - from) }, (_, at) => {
      const number = from + at;
      const step = Math.floor(number / 2) + 1;
      return MetricPoint.fromPartial({
        sequence: BigInt(number + 1),
        name: number % 2 === 0 ? "outer_loss" : "inner_loss",
        step: BigInt(step),
        value: 2 / Math.log(step + 2) + Math.sin(number) / 10,
        time: new Date(1.76e12 + number),
      });
    });
    store.metrics.appendMetrics(taskId, 1, points);
  }
}

function changeOf(id: string, name: string, number: number) {
  const spec = resolvedSpec((draft) => {
    draft.name = name;
    draft.seed = number % 10;
    draft.distilled = { ...draft.distilled, labels: LABELS[number % 3] } as typeof draft.distilled;
    draft.inner = { ...draft.inner, steps: 1 + (number % 4) } as typeof draft.inner;
  });
  const time = new Date(1.76e12 + number * 1000);
  const record: ExperimentRecord = {
    experiment: Experiment.fromPartial({
      id,
      spec,
      state: State.SUCCEEDED,
      createTime: time,
      endTime: time,
      owner: `owner${number % 5}`,
    }),
    tasks: planTasks(spec, id, CODE_VERSION).map((task) => ({
      task: {
        ...task,
        state: State.SUCCEEDED,
        attempt: 1,
        result: resultOf(task.id, number),
      },
      numLost: 0,
    })),
    cancelRequested: false,
  };
  return { record: withResult(record), tasks: [], events: [] };
}

function resultOf(taskId: string, number: number): TaskResult {
  if (taskId.endsWith("distill")) {
    return TaskResult.fromPartial({
      kind: { $case: "distill", value: { keptStep: 1400, outerSteps: 1450, stepsPerSecond: 1 } },
    });
  }
  const inits = Array.from({ length: NUM_INITS }, (_, initSeed) => ({
    initSeed,
    accuracy: 0.7 + 0.2 * Math.abs(Math.sin(number + initSeed / 50)),
    loss: 0.4,
    macroF1: 0.8,
  }));
  return TaskResult.fromPartial({
    kind: { $case: "learners", value: { inits, trainSamples: 4, gdSteps: 1 } },
    wallTimeS: 10,
  });
}
