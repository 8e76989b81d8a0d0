import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { initSeeds } from "../../src/experiment/domain/init-seeds.js";
import { countTasks, planTasks } from "../../src/experiment/domain/plan.js";
import { type ExperimentRecord, mustStop, poolOf } from "../../src/experiment/domain/record.js";
import { startable } from "../../src/experiment/domain/startable.js";
import { completeTask, failTask, leaseTask } from "../../src/experiment/domain/transitions.js";
import { type Task, TaskResult } from "../../src/generated/stillhouse/v1/experiment.js";
import { Failure, FailureKind } from "../../src/generated/stillhouse/v1/failure.js";
import { type ExperimentSpec, Init, Preset } from "../../src/generated/stillhouse/v1/spec.js";
import { experimentResult } from "../../src/results/experiment-result.js";
import { distilledLabel } from "../../src/results/spec-labels.js";
import { emptySpec, writeField } from "../../src/settings/field-path.js";
import { resolveSpec } from "../../src/settings/resolve.js";
import { NOW, plannedRecord, refusal, resolvedSpec } from "../fixtures/experiments.js";
import { factsOf } from "../fixtures/facts.js";

type Given = Record<string, string | number>;

function pooled(given: Given = {}): ExperimentSpec {
  return resolvedSpec((draft) => {
    writeField(draft, "model.init", Init.POOL);
    writeField(draft, "pool.size", 12);
    for (const [path, value] of Object.entries(given)) writeField(draft, path, value);
  });
}

function nameOf({ id }: Pick<Task, "id">): string {
  return id.slice(id.indexOf("-") + 1);
}

function startables(record: ExperimentRecord): string[] {
  const mayStart = startable(record);
  return record.tasks.filter(({ task }) => mayStart(task)).map(({ task }) => nameOf(task));
}

function pretrained(record: ExperimentRecord, name: string): ExperimentRecord {
  const id = `ex1-${name}`;
  const result = TaskResult.fromPartial({
    kind: { $case: "pretrain", value: { artifact: { id }, accuracies: [0.9] } },
  });
  return completeTask(leaseTask(record, id, NOW), id, result, NOW);
}

/** Names of tasks whose cache keys are others in the second spec. */
function changed(one: ExperimentSpec, other: ExperimentSpec): string[] {
  const keys = (spec: ExperimentSpec) =>
    new Map(planTasks(spec, "ex1", "c0de").map((task) => [nameOf(task), task.cacheKey]));
  const [before, after] = [keys(one), keys(other)];
  return [...before].filter(([name, key]) => after.get(name) !== key).map(([name]) => name);
}

describe("the settings of a pool", () => {
  it("are those of the preset with --init pool, and 0 without", () => {
    const draft = emptySpec();
    writeField(draft, "model.init", Init.POOL);
    writeField(draft, "preset", Preset.STUDY);
    const { pool } = resolveSpec(draft, factsOf()).spec;
    assert.deepEqual(pool, {
      size: 200,
      epochs: 40,
      batchSize: 1024,
      lr: 2e-4,
      lrHalvingEpochs: 20,
    });
    const none = { size: 0, epochs: 0, batchSize: 0, lr: 0, lrHalvingEpochs: 0 };
    const resolved = resolveSpec(emptySpec(), factsOf());
    assert.deepEqual(resolved.spec.pool, none);
    assert.deepEqual(resolved.description.changedFields, []);
    assert.deepEqual(resolveSpec(resolved.spec, factsOf()).spec, resolved.spec);
  });

  it("are refused where nothing of them is of use", () => {
    assert.match(refusal({ "pool.size": 5 }), /^--pool \(pool\.size\) needs --init pool/);
    const empty = { "model.init": Init.POOL, "pool.epochs": 0 };
    assert.match(refusal(empty), /^--pool-epochs \(pool\.epochs\) must be more than 0/);
  });
});

describe("the plan with a pool", () => {
  it("trains members and held-out learners in shards before what starts from them", () => {
    const tasks = planTasks(pooled({ "evaluation.inits": 21 }), "ex1", "c0de");
    const works = tasks.flatMap(({ work }) =>
      work?.kind?.$case === "pretrain" ? [work.kind.value] : [],
    );
    const numbers = Array.from({ length: 12 }, (_, at) => at);
    assert.deepEqual(
      works.flatMap(({ members }) => members),
      numbers,
    );
    assert.deepEqual(
      works.map((work) => [work.members.length, work.initSeeds.length]),
      [
        [12, 0],
        [0, 10],
        [0, 11],
      ],
    );
    assert.deepEqual(
      works.flatMap((work) => work.initSeeds),
      initSeeds(7, 21),
    );
    const names = tasks.map(nameOf);
    assert.ok(names.indexOf("pretrain-3") < names.indexOf("distill"));
  });

  it("has as many tasks as are counted", () => {
    const specs = [
      pooled(),
      pooled({ "evaluation.inits": 40, "evaluation.baseline_inits": 3 }),
      pooled({ "evaluation.inits": 0, "evaluation.baseline_inits": 25 }),
      pooled({ "pool.size": 200, "evaluation.baseline_inits": 25 }),
    ];
    for (const spec of specs) assert.equal(countTasks(spec), planTasks(spec, "ex1", "c").length);
  });

  it("starts each task when the learners that it starts from are trained", () => {
    let record = plannedRecord("ex1", pooled());
    assert.deepEqual(startables(record), ["pretrain-1", "pretrain-2", "full"]);
    record = pretrained(record, "pretrain-2");
    assert.deepEqual(startables(record), ["pretrain-1", "full", "random", "untrained"]);
    record = pretrained(record, "pretrain-1");
    assert.ok(startables(record).includes("distill"));
    assert.ok(!startables(record).includes("evaluate"));
    const artifacts = (name: string) => {
      const entry = record.tasks.find(({ task }) => nameOf(task) === name);
      return entry ? poolOf(record, entry.task) : undefined;
    };
    assert.deepEqual(artifacts("distill"), ["ex1-pretrain-1"]);
    assert.deepEqual(artifacts("evaluate"), ["ex1-pretrain-2"]);
    assert.deepEqual(artifacts("full"), []);
  });

  it("ends with a pretraining that fails", () => {
    const failure = Failure.fromPartial({ kind: FailureKind.DIVERGED, message: "it diverged" });
    const record = leaseTask(plannedRecord("ex1", pooled()), "ex1-pretrain-1", NOW);
    assert.ok(mustStop(failTask(record, "ex1-pretrain-1", failure, NOW)));
  });
});

describe("the cache of a pool", () => {
  it("gives the members to experiments with another seed or another distillation", () => {
    const one = pooled();
    assert.ok(!changed(one, { ...one, seed: 8 }).includes("pretrain-1"));
    assert.ok(changed(one, { ...one, seed: 8 }).includes("pretrain-2"));
    const others = changed(one, pooled({ "outer.lr": 0.5, "inner.lr": 0.3 }));
    assert.deepEqual(others, ["distill", "evaluate"]);
  });

  it("trains anew where the training is another one", () => {
    const all = ["pretrain-1", "pretrain-2", "distill", "evaluate", "random", "untrained"];
    assert.deepEqual(changed(pooled(), pooled({ "pool.epochs": 9 })), all);
    assert.deepEqual(changed(pooled(), pooled({ "pool.size": 13 })), [
      "pretrain-1",
      "distill",
      "evaluate",
    ]);
  });

  it("knows that learners of full data draw their start", () => {
    const drawn = resolvedSpec();
    assert.ok(!changed(drawn, pooled()).includes("full"));
    assert.ok(changed(drawn, pooled()).includes("untrained"));
  });
});

describe("the result with a pool", () => {
  it("names its rows by where learners start", () => {
    const spec = pooled();
    const { rows } = experimentResult(spec, planTasks(spec, "ex1", "c0de"));
    assert.deepEqual(
      rows.map(({ label }) => label),
      ["Full data", "Random real samples", "Pretrained learner", distilledLabel(spec)],
    );
    assert.match(distilledLabel(spec), /^Distilled data \(pretrained learners\)/);
  });
});
