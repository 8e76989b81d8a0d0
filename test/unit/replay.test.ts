import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { parseReplayArguments } from "../../src/cli/replay/replay-arguments.js";
import { replayDocument, replayText } from "../../src/cli/results/replay-output.js";
import { StillhouseError } from "../../src/errors.js";
import { initSeeds } from "../../src/experiment/domain/init-seeds.js";
import { countTasks, planTasks } from "../../src/experiment/domain/plan.js";
import {
  type ExperimentRecord,
  memoriesOf,
  withTasks,
} from "../../src/experiment/domain/record.js";
import { startable } from "../../src/experiment/domain/startable.js";
import type { ExperimentSpec } from "../../src/generated/stillhouse/v1/spec.js";
import { experimentResult } from "../../src/results/experiment-result.js";
import { backwardTransfer, forgetting } from "../../src/results/replay-result.js";
import { replayViews } from "../../src/results/replay-view.js";
import { resolveSpec } from "../../src/settings/resolve.js";
import { plannedRecord } from "../fixtures/experiments.js";
import { CUDA, factsOf } from "../fixtures/facts.js";
import {
  DIGITS,
  distilledAs,
  ended,
  replayed,
  resolvedReplay,
  SURROUNDINGS,
} from "../fixtures/replay.js";

const NEWS = factsOf();

function refusal(flags: string, facts = DIGITS): string {
  try {
    resolvedReplay(flags, facts);
  } catch (error) {
    assert.ok(error instanceof StillhouseError, String(error));
    return error.message;
  }
  return "";
}

function classesOf({ replay }: ExperimentSpec): number[][] {
  return (replay?.tasks ?? []).map(({ classes }) => classes);
}

function namesOf(spec: ExperimentSpec): string[] {
  return planTasks(spec, "ex1", "c0de").map(({ id }) => id.slice("ex1-".length));
}

/** Cache keys by the names of the tasks. */
function keysOf(spec: ExperimentSpec): Map<string, string> {
  return new Map(planTasks(spec, "ex1", "c0de").map(({ id, cacheKey }) => [id, cacheKey]));
}

function changedBy(one: string, other: string): string[] {
  const [before, after] = [keysOf(resolvedReplay(one)), keysOf(resolvedReplay(other))];
  return [...before].filter(([id, key]) => after.get(id) !== key).map(([id]) => id.slice(4));
}

function startables(record: ExperimentRecord): string[] {
  const mayStart = startable(record);
  return record.tasks.filter(({ task }) => mayStart(task)).map(({ task }) => task.id.slice(4));
}

describe("the settings of continual learning", () => {
  it("are the published ones of each benchmark in preset study", () => {
    const cuda = { ...DIGITS, device: { ...DIGITS.device, ...CUDA } };
    const spec = resolvedReplay("--tasks split-mnist", cuda);
    assert.deepEqual(classesOf(spec), [
      [0, 1],
      [2, 3],
      [4, 5],
      [6, 7],
      [8, 9],
    ]);
    const { inner, outer, replay } = spec;
    assert.deepEqual([inner?.steps, inner?.lr, inner?.learnLr], [30, 0.05, "LEARN_LR_NONE"]);
    // 70 passes over a fifth of the rows in batches of 128.
    assert.equal(outer?.steps, Math.ceil((70 * 57_000) / 5 / 128));
    assert.deepEqual(
      [outer?.optimiser, outer?.lr, outer?.clip, outer?.accumulateLoss],
      ["OUTER_OPTIMISER_SGD", 0.1, 0, true],
    );
    assert.deepEqual([replay?.steps, replay?.batchSize, replay?.lr], [80, 128, 0.05]);
    const permuted = resolvedReplay("--tasks permuted-mnist", cuda);
    assert.deepEqual(
      permuted.replay?.tasks.map(({ permutationSeed }) => permutationSeed),
      Array.from({ length: 10 }, (_, at) => 1234 + at),
    );
    assert.deepEqual([permuted.replay?.steps, permuted.replay?.epochs], [0, 3]);
    assert.equal(permuted.outer?.steps, Math.ceil((80 * 57_000) / 128));
    assert.deepEqual(classesOf(resolvedReplay("--tasks split-fashion", cuda))[0], [9, 8]);
    assert.equal(resolvedReplay("--tasks split-cifar10", cuda).replay?.batchSize, 1024);
  });

  it("divide the classes of any data set, the last task having what is left", () => {
    assert.deepEqual(
      classesOf(resolvedReplay("--tasks split:ag_news --classes-per-task 3", NEWS)),
      [[0, 1, 2], [3]],
    );
    const ordered = resolvedReplay("--tasks split:mnist --class-order 3,1,2 --classes-per-task 1");
    assert.deepEqual(classesOf(ordered), [[3], [1], [2]]);
  });

  it("resolve to themselves, and keep flags beside those of the benchmark", () => {
    const spec = resolvedReplay("--tasks split-mnist --outer-steps 7 --task-steps 3 --per-class 2");
    assert.deepEqual([spec.outer?.steps, spec.replay?.steps], [7, 3]);
    assert.equal(spec.distilled?.perClass, 2);
    assert.deepEqual(resolveSpec(spec, DIGITS).spec, spec);
  });

  it("differ from the preset where a person differs, and not where the benchmark does", () => {
    const request = parseReplayArguments(
      ["--tasks", "split-mnist", "--inner-lr", "0.1"],
      SURROUNDINGS,
    );
    const { draft } = request.kind === "run" ? request : assert.fail();
    const { changedFields } = resolveSpec(draft, DIGITS).description;
    assert.deepEqual(changedFields, ["inner.lr"]);
  });

  it("are refused with the value and the flag", () => {
    const cases: [string, RegExp, typeof DIGITS?][] = [
      ["--methods naive", /--tasks must be split-mnist, .* or split:DATASET, got nothing/],
      ["--tasks mnist", /--tasks must be .*, got mnist/],
      ["--tasks split-mnist --methods all,none", /--methods must be some of naive,simple,/],
      ["--tasks split-mnist --seeds 1,1", /--seeds must be distinct whole numbers/],
      ["--tasks split-mnist --seeds 5000000000", /--seeds .* from 0 to 4294967295/],
      ["--tasks split-mnist --task-lr 0", /--task-lr must be a number > 0, got 0/],
      ["--tasks split-mnist --task-batch-size 4", /--task-batch-size .* at least 5.* got 4/],
      ["--tasks split-mnist --task-steps 2 --task-epochs 2", /one of --task-steps .* got 2 and 2/],
      ["--tasks split-mnist --class-order 1,12", /--class-order .* 0 to 9, got 1,12/],
      ["--tasks split-mnist --classes-per-task 10", /there must be 2 to 100 tasks .* got 1/],
      ["--tasks split-mnist --num-tasks 3", /--num-tasks .* is for permuted pixels, got 3/],
      ["--tasks permuted-mnist --class-order 1,2", /are for tasks that split classes/],
      ["--tasks permuted-mnist", /pixels are permuted, and ag_news holds texts/, NEWS],
      ["--tasks split-mnist --inits 0", /--inits .* must be ≥ 1, got 0/],
      ["--tasks split-mnist --al cls", /unknown option '--al'|--al/],
    ];
    for (const [flags, expected, facts] of cases) assert.match(refusal(flags, facts), expected);
  });

  it("refuse what only other experiments have, from whatever client it comes", () => {
    const spec = resolvedReplay("--tasks split-mnist");
    const model = spec.model && { ...spec.model, init: "INIT_FIXED" as typeof spec.model.init };
    const permuted = resolvedReplay("--tasks permuted-mnist").replay;
    const texts = { ...resolvedReplay("--tasks split:ag_news", NEWS), replay: permuted };
    texts.replay = permuted && { ...permuted, benchmark: spec.replay?.benchmark ?? assert.fail() };
    assert.throws(
      () =>
        resolveSpec({ ...texts, replay: { ...texts.replay, numPermutations: 0 } as never }, NEWS),
      /pixels are permuted, and ag_news holds texts/,
    );
    assert.throws(() => resolveSpec({ ...spec, model }, DIGITS), /--init .* learners draw/);
    const baseline = spec.baseline && { ...spec.baseline, random: true };
    assert.throws(() => resolveSpec({ ...spec, baseline }, DIGITS), /methods are its baselines/);
  });
});

describe("the plan of continual learning", () => {
  const TWO = "--tasks split-mnist --seeds 4,9 --inits 3 --classes-per-task 4";

  it("distils each task but the last per seed, and has learners per method and seed", () => {
    const spec = resolvedReplay(`${TWO} --methods simple,distilled`);
    assert.deepEqual(namesOf(spec), [
      "distill-1-1",
      "distill-1-2",
      "distill-2-1",
      "distill-2-2",
      "replay-simple-1",
      "replay-simple-2",
      "replay-distilled-1",
      "replay-distilled-2",
    ]);
    assert.equal(countTasks(spec), 8);
    const learners = planTasks(spec, "ex1", "c0de").map(({ work }) =>
      work?.kind?.$case === "replay" ? work.kind.value.initSeeds : [],
    );
    assert.deepEqual(learners[5], initSeeds(9, 3));
    assert.deepEqual(namesOf(resolvedReplay(`${TWO} --methods joint`)), [
      "replay-joint-1",
      "replay-joint-2",
    ]);
  });

  it("lets learners with distilled memories wait for those of their seed alone", () => {
    let record = plannedRecord("ex1", resolvedReplay(`${TWO} --methods naive,distilled`));
    const isOpen = (name: string) => startables(record).includes(name);
    assert.ok(isOpen("replay-naive-1"));
    record = ended(record, "distill-1-2", distilledAs("b"));
    assert.ok(!isOpen("replay-distilled-1"));
    record = ended(record, "distill-1-1", distilledAs("a"));
    assert.ok(isOpen("replay-distilled-1"));
    assert.ok(!isOpen("replay-distilled-2"));
    const task = withTasks(record).tasks.find(({ id }) => id === "ex1-replay-distilled-1");
    assert.deepEqual(memoriesOf(record, task ?? assert.fail()), ["a", "b"]);
  });

  it("computes again what a setting changes, and nothing else", () => {
    assert.deepEqual(changedBy(TWO, `${TWO} --methods joint,distilled,simple,naive`), []);
    const learners = changedBy(TWO, `${TWO} --task-lr 0.1`);
    assert.ok(learners.every((name) => name.startsWith("replay-")));
    assert.equal(learners.length, 8);
    const distillations = changedBy(TWO, `${TWO} --inner-lr 0.1`);
    assert.ok(distillations.every((name) => name.includes("distill")));
    assert.equal(distillations.length, 6);
    const keys = keysOf(resolvedReplay(TWO));
    assert.equal(new Set(keys.values()).size, keys.size);
  });
});

describe("the figures of continual learning", () => {
  const ROWS = [[0.9], [0.5, 0.8], [0.7, 0.2, 1]];
  const run = {
    initSeed: 1,
    trainTimeS: 0,
    after: ROWS.map((accuracies) => ({ accuracies })),
  };

  it("are those of the matrix", () => {
    assert.ok(Math.abs(forgetting(run) - (0.2 + 0.6) / 2) < 1e-12);
    assert.ok(Math.abs(backwardTransfer(run) - (-0.2 - 0.6) / 2) < 1e-12);
  });

  it("pair learners of the same seeds, and the means of those that share memories", () => {
    const spec = resolvedReplay(
      "--tasks split:mnist --seeds 4,9 --inits 2 --class-order 0,1,2,3 --methods simple,distilled",
    );
    let record = plannedRecord("ex1", spec);
    const [fours, nines] = [initSeeds(4, 2), initSeeds(9, 2)];
    record = ended(
      record,
      "replay-simple-1",
      replayed(fours, [[1], [0.2, 0.6]], [[1], [0.4, 0.6]]),
    );
    record = ended(
      record,
      "replay-simple-2",
      replayed(nines, [[1], [0.3, 0.7]], [[1], [0.3, 0.7]]),
    );
    for (const of of [1, 2]) record = ended(record, `distill-${of}-1`, distilledAs(`m${of}`));
    record = ended(
      record,
      "replay-distilled-1",
      replayed(fours, [[1], [0.8, 0.6]], [[1], [1, 0.6]]),
    );
    const tasks = record.tasks.map(({ task }) => task);
    const result = experimentResult(spec, tasks);
    const [simple, own] = replayViews(result);
    assert.ok(simple && own);
    assert.deepEqual(
      [simple.id, simple.gain, own.id, own.accuracy.n],
      ["simple", null, "distilled", 2],
    );
    assert.ok(Math.abs((own.gain?.mean ?? 0) - 0.3) < 1e-12);
    assert.equal(own.gainOfSeeds?.n, 1);
    assert.ok(Math.abs(simple.accuracyOfSeeds.mean - 0.475) < 1e-12);
    assert.deepEqual(
      simple.matrix.map((row) => row.length),
      [1, 2],
    );
    assert.ok(Math.abs((simple.matrix[1]?.[0]?.mean ?? 0) - 0.3) < 1e-12);
    const states = result.rows.map(({ id, state }) => [id, state]);
    assert.deepEqual(states, [
      ["simple", "RESULT_STATE_COMPLETE"],
      ["distilled", "RESULT_STATE_PARTIAL"],
    ]);
    const experiment = { ...withTasks(record), result };
    const text = replayText(experiment);
    assert.match(text, /tasks \{0,1\} \{2,3\}/);
    assert.match(text, /Distilled samples .* 75\.0 ± 5\.0/);
    assert.match(text, /npm run inspect -- m1/);
    const document = JSON.parse(JSON.stringify(replayDocument(experiment)));
    assert.deepEqual(
      document.runs.map(({ method, seed }: Record<string, unknown>) => `${method} ${seed}`),
      ["simple 4", "simple 4", "simple 9", "simple 9", "distilled 4", "distilled 4"],
    );
    assert.deepEqual(document.memories[1], {
      artifact_id: "m2",
      name: "Memory of classes 0, 1, seed 9",
      seed: 9,
      classes: [0, 1],
      permutation_seed: null,
    });
  });
});
