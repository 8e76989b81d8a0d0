import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { grouped, sorted } from "../../../src/dashboard/model/experiment-table.js";
import {
  type ExperimentView,
  experimentView,
  ratioNote,
  withProgress,
} from "../../../src/dashboard/model/experiment-view.js";
import { distillations } from "../../../src/dashboard/model/task-view.js";
import {
  Experiment as PageExperiment,
  Progress,
} from "../../../src/generated/page/stillhouse/v1/experiment.js";
import {
  Experiment,
  State,
  type Task,
  Variation,
} from "../../../src/generated/stillhouse/v1/experiment.js";
import {
  AttentionLabels,
  Labels,
  RobustnessCheck,
  RobustnessSpec,
  TransferModel,
} from "../../../src/generated/stillhouse/v1/spec.js";
import { sharesOfMatrix, sumOfMatrices } from "../../../src/results/confusion.js";
import { experimentResult } from "../../../src/results/experiment-result.js";
import { resolvedSpec } from "../../fixtures/experiments.js";
import { DISTILL, FULL } from "../../fixtures/finished-experiment.js";

function viewOf(experiment: Partial<Experiment>, tasks: readonly Task[] = []): ExperimentView {
  const result = experimentResult(experiment.spec, tasks);
  const message = { ...Experiment.fromPartial({}), ...experiment, tasks: [...tasks], result };
  return experimentView(
    PageExperiment.fromJSON(JSON.parse(JSON.stringify(Experiment.toJSON(message)))),
  );
}

function learners(id: string, ...accuracies: number[]): Task {
  const task = structuredClone(FULL);
  task.id = id;
  const value = { initSeeds: [1], artifactId: "", variation: undefined };
  task.work = { kind: { $case: "evaluate", value } };
  const kind = task.result?.kind;
  if (kind?.$case !== "learners") throw new Error("the fixture has learners");
  const [init] = kind.value.inits;
  if (init === undefined) throw new Error("the fixture has a learner");
  kind.value.inits = accuracies.map((accuracy, at) => ({ ...init, initSeed: at, accuracy }));
  return task;
}

const SPEC = resolvedSpec((draft) => {
  draft.distilled = {
    ...draft.distilled,
    labels: Labels.UNRESTRICTED,
    attentionLabels: AttentionLabels.CLS,
  } as typeof draft.distilled;
});

describe("an experiment as the page shows it", () => {
  test("a model of the hub has its name there, and one in a folder the folder's name", () => {
    const titles = ["minilm", "org/model", "/models/distilbert/", "C:\\models\\bert"].map(
      (name) => {
        const spec = resolvedSpec();
        return viewOf({ spec: { ...spec, model: { ...spec.model, name } as typeof spec.model } })
          .model;
      },
    );
    assert.deepEqual(titles, ["minilm", "org/model", "distilbert", "bert"]);
  });

  test("its distillation is known by its work, whatever the names of its tasks", () => {
    const tasks = [
      { ...DISTILL, id: "a-1" },
      { ...FULL, id: "distill-full" },
      learners("distill-evaluate", 0.9),
    ];
    assert.deepEqual([...distillations([viewOf({ spec: SPEC }, tasks)])], ["a-1"]);
  });

  test("shards of the evaluation are one row, and the ratio is that of the means", () => {
    const tasks = [DISTILL, learners("e1", 0.8), learners("e2", 0.9, 0.94), FULL];
    const view = viewOf({ id: "x1", spec: SPEC, state: State.SUCCEEDED }, tasks);
    assert.deepEqual(
      view.results.map(({ id, accuracy }) => [id, accuracy.n]),
      [
        ["distilled", 3],
        ["full", 1],
      ],
    );
    assert.equal(view.accuracy?.mean.toFixed(4), "0.8800");
    assert.equal(view.ratioToFull?.toFixed(4), (0.88 / 0.95).toFixed(4));
    assert.equal(view.distilled?.keptStep, 1400);
    assert.equal(view.share, 1);
  });

  test("its title distinguishes it from others of the same study", () => {
    const three = resolvedSpec((draft) => {
      draft.inner = { ...draft.inner, steps: 3 } as typeof draft.inner;
    });
    assert.equal(viewOf({ spec: SPEC }, [DISTILL]).title, "SL unrestricted + AL cls");
    assert.equal(viewOf({ spec: three }, [DISTILL]).title, "hard labels, 3 steps");
    assert.equal(viewOf({ spec: three }, [FULL]).title, "only full data");
    const tried = RobustnessSpec.create({ artifactId: "12cb" });
    assert.equal(
      viewOf({ spec: { ...SPEC, robustness: tried } }, [DISTILL]).title,
      "robustness of 12cb (SL unrestricted + AL cls)",
    );
  });

  test("tasks of one kind are numbered", () => {
    const { tasks } = viewOf({ spec: SPEC }, [DISTILL, learners("e1", 0.8), learners("e2", 0.9)]);
    assert.deepEqual(
      tasks.map(({ name }) => name),
      ["Distillation", "Evaluation, 1 of 2", "Evaluation, 2 of 2"],
    );
  });

  test("its time leaves out how long it waited", () => {
    const at = (second: number) => new Date(Date.UTC(2026, 0, 1, 0, 0, second));
    const waited = { spec: SPEC, createTime: at(0), endTime: at(500) };
    const ran = { ...structuredClone(DISTILL), startTime: at(30), endTime: at(400) };
    const failed = { ...ran, state: State.FAILED, result: undefined, ranS: 7 };
    const own = ran.result?.wallTimeS ?? 0;
    assert.ok(own > 0 && FULL.reused, "what was taken from an earlier experiment took no time");
    const view = viewOf({ ...waited, state: State.FAILED }, [ran, failed, FULL]);
    assert.equal(view.tookS, own + 7);
    assert.equal(viewOf({ ...waited, state: State.RUNNING }, [ran]).tookS, undefined);
  });

  test("each variation has a row of its own", () => {
    const varied = learners("e2", 0.5, 0.7);
    const variation = Variation.fromPartial({ name: "hard-labels", hardLabels: true });
    varied.work = {
      kind: { $case: "evaluate", value: { initSeeds: [1], artifactId: "a1", variation } },
    };
    const view = viewOf({ id: "x1", spec: SPEC }, [learners("e1", 0.8), varied, FULL]);
    assert.deepEqual(
      view.results.map(({ id, label, accuracy }) => [id, label, accuracy.n]),
      [
        ["distilled", "Distilled data + SL unrestricted + AL cls", 1],
        ["hard-labels", "Distilled data + SL unrestricted + AL cls, hard labels", 2],
        ["full", "Full data", 1],
      ],
    );
    assert.equal(view.tasks[1]?.name, "Evaluation, hard labels");
  });

  test("its title is its name, else what is distilled", () => {
    assert.equal(viewOf({ spec: SPEC }).title, "SL unrestricted + AL cls");
    assert.equal(viewOf({ spec: { ...SPEC, name: "first" } }).title, "first");
  });

  test("without a full-data baseline there is no ratio, and it says why", () => {
    const tested = viewOf({ spec: SPEC }, [learners("e1", 0.8)]);
    assert.equal(tested.ratioToFull, undefined);
    assert.equal(ratioNote(tested), "No full-data baseline");
    const noteOf = (state: State) => {
      const full = { ...FULL, state, result: undefined };
      return ratioNote(viewOf({ spec: SPEC }, [learners("e1", 0.8), full]));
    };
    assert.match(noteOf(State.RUNNING), /is running/);
    assert.match(noteOf(State.QUEUED), /queued/);
    assert.match(noteOf(State.FAILED), /failed/);
    assert.match(noteOf(State.CANCELLED), /cancelled/);
    assert.match(
      ratioNote(viewOf({ spec: SPEC }, [FULL])),
      /After the distilled data has been tested/,
    );
  });

  test("two experiments on the robustness of the same data have titles of their own", () => {
    const titleOf = (tried: Partial<RobustnessSpec>) => {
      const robustness = RobustnessSpec.create({ artifactId: "12cb", ...tried });
      return viewOf({ spec: { ...SPEC, robustness } }).title;
    };
    const labels = [RobustnessCheck.LABELS];
    const head = "robustness of 12cb (SL unrestricted + AL cls)";
    assert.equal(titleOf({ checks: labels }), `${head}: labels`);
    assert.equal(titleOf({ steps: [1, 5] }), `${head}: 1, 5 steps`);
    const transferTo = [TransferModel.create({ name: "/models/other" })];
    assert.equal(titleOf({ checks: labels, transferTo }), `${head}: labels, transfer to other`);
  });

  test("progress counts for its task alone", () => {
    const running = { ...structuredClone(DISTILL), state: State.RUNNING, result: undefined };
    const view = viewOf({ spec: SPEC }, [running, { ...FULL, reused: false, state: State.QUEUED }]);
    assert.equal(view.share, 0);
    const progress = Progress.fromJSON({ stage: "distilling", done: "30", total: "60" });
    const later = withProgress(view, running.id, progress);
    assert.ok(later.share > 0 && later.share < 0.5);
    assert.equal(later.running?.progress?.done, 30);
    assert.equal(later.tasks[1]?.progress, undefined);
  });
});

describe("the table of experiments", () => {
  const views = [0.7, undefined, 0.9].map((accuracy, at) =>
    viewOf(
      { id: `x${at}`, spec: { ...SPEC, name: "cab"[at] ?? "" }, sweepId: at === 0 ? "" : "s1" },
      accuracy === undefined ? [] : [learners(`e${at}`, accuracy)],
    ),
  );
  const ids = (list: readonly ExperimentView[]) => list.map(({ id }) => id);

  test("sorts by any column, with missing values last in either order", () => {
    assert.deepEqual(ids(sorted(views, { column: "accuracy", isDescending: true })), [
      "x2",
      "x0",
      "x1",
    ]);
    assert.deepEqual(ids(sorted(views, { column: "accuracy", isDescending: false })), [
      "x0",
      "x2",
      "x1",
    ]);
    assert.deepEqual(ids(sorted(views, { column: "title", isDescending: false })), [
      "x1",
      "x2",
      "x0",
    ]);
  });

  test("groups by sweep, with the best of each", () => {
    assert.deepEqual(
      grouped(views, { by: "sweep" }).map(({ key, views, best }) => [key, ids(views), best]),
      [
        ["", ["x0"], 0.7],
        ["s1", ["x1", "x2"], 0.9],
      ],
    );
  });
});

describe("a confusion matrix", () => {
  test("shows shares of each true class, over all learners", () => {
    const sum = sumOfMatrices([
      [8, 2, 0, 10],
      [6, 4, 5, 5],
    ]);
    assert.deepEqual(sharesOfMatrix(sum ?? []), [
      [0.7, 0.3],
      [0.25, 0.75],
    ]);
  });

  test("is missing where a learner was measured before confusion was counted", () => {
    assert.equal(sumOfMatrices([[], [1, 1, 0, 2]]), undefined);
    assert.deepEqual(sharesOfMatrix([]), []);
  });
});
