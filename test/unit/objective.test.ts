import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { StillhouseError } from "../../src/errors.js";
import { planTasks } from "../../src/experiment/domain/plan.js";
import { State, type Task, TaskResult } from "../../src/generated/stillhouse/v1/experiment.js";
import {
  type ExperimentSpec,
  Init,
  Objective,
  Preset,
  Source,
} from "../../src/generated/stillhouse/v1/spec.js";
import { experimentResult } from "../../src/results/experiment-result.js";
import { distilledLabel, objectiveText, shortLabel } from "../../src/results/spec-labels.js";
import { checkPlaces } from "../../src/security/allowed-folders.js";
import { withDatasetPath } from "../../src/settings/dataset-path.js";
import type { Facts } from "../../src/settings/facts.js";
import { emptySpec, writeField } from "../../src/settings/field-path.js";
import { sourceDraft, withPresetObjective } from "../../src/settings/objective.js";
import { resolveSpec } from "../../src/settings/resolve.js";
import { factsOf } from "../fixtures/facts.js";

type Given = Record<string, string | number>;

const OTHER = { name: "bbc_news", fingerprint: "e".repeat(64), data_dir: "/other" };
const ADAPT = { "objective.kind": Objective.ADAPT, "objective.source_name": "bbc_news" };
const ATTACK = {
  "objective.kind": Objective.ATTACK,
  "objective.attack_class": 0,
  "objective.target_class": 2,
};

function draftOf(given: Given): ExperimentSpec {
  const draft = emptySpec();
  for (const [path, value] of Object.entries(given)) writeField(draft, path, value);
  return draft;
}

function resolved(given: Given, source: Partial<Facts["dataset"]> = OTHER): ExperimentSpec {
  const facts = factsOf({ dataset: source }).dataset;
  return resolveSpec(draftOf(given), factsOf(), [], facts).spec;
}

function refusal(given: Given, source: Partial<Facts["dataset"]> = OTHER): string {
  try {
    resolved(given, source);
  } catch (error) {
    assert.ok(error instanceof StillhouseError, String(error));
    return error.message;
  }
  return "";
}

describe("the objective adapt", () => {
  it("starts from a pool that is trained on the source", () => {
    const { objective, model, pool } = resolved(ADAPT);
    assert.equal(model?.init, Init.POOL);
    assert.ok((pool?.size ?? 0) > 0);
    assert.deepEqual(objective, {
      kind: Objective.ADAPT,
      sourceName: "bbc_news",
      source: Source.LOCAL,
      sourceDir: "/other",
      sourceFingerprint: "e".repeat(64),
      attackClass: 0,
      targetClass: 0,
    });
    const again = resolveSpec(resolved(ADAPT), factsOf(), [], factsOf({ dataset: OTHER }).dataset);
    assert.deepEqual(again.spec, resolved(ADAPT));
  });

  it("comes with its source from a preset, unless the draft says otherwise", () => {
    const preset = { preset: Preset.WANG_ADAPT_CPU };
    const draft = draftOf({ ...preset, "objective.source_dir": "/here" });
    assert.deepEqual(withPresetObjective(draft).objective, {
      kind: Objective.ADAPT,
      source: Source.UNSPECIFIED,
      sourceName: "mnist",
      sourceDir: "/here",
    });
    const other = draftOf({ ...preset, "objective.source_name": "digits" });
    assert.equal(withPresetObjective(other).objective?.sourceName, "digits");
    const basic = draftOf({ ...preset, "objective.kind": Objective.BASIC });
    assert.equal(withPresetObjective(basic), basic);
    const none = draftOf({ preset: Preset.CPU });
    assert.equal(withPresetObjective(none), none);
  });

  it("refuses a source that does not fit, with the reason", () => {
    const none = () => resolveSpec(draftOf({ "objective.kind": Objective.ADAPT }), factsOf());
    assert.throws(none, /--source \(objective\.source_name\) must name the data set to adapt from/);
    assert.match(refusal(ADAPT, { ...OTHER, class_names: ["a", "b"] }), /bbc_news has 2$/);
    const image = { channels: 1, height: 8, width: 8 };
    assert.match(refusal(ADAPT, { ...OTHER, image }), /must hold texts, .* bbc_news holds images/);
    assert.match(refusal(ADAPT, {}), /must be another data set than ag_news/);
    assert.match(refusal({ ...ADAPT, "model.init": Init.FIXED }), /--init .* must be pool/);
    const alone = { "objective.source_name": "bbc_news" };
    assert.match(refusal(alone), /^--source \(objective\.source_name\) needs --objective adapt/);
  });

  it("finds its source by a path, and in allowed folders alone", () => {
    const draft = withDatasetPath(draftOf({ ...ADAPT, "objective.source_name": "/sets/usps" }));
    const { dataset } = sourceDraft(draft);
    assert.deepEqual(
      [dataset?.name, dataset?.dataDir, dataset?.source],
      ["usps", "/sets", Source.LOCAL],
    );
    const allowed = { data: ["/elsewhere"], models: [] };
    assert.throws(() => checkPlaces(draft, allowed), /objective\.source_dir names the folder/);
  });

  it("trains its pool once for all targets, and again for another source", () => {
    const keys = (spec: ExperimentSpec) =>
      new Map(planTasks(spec, "ex1", "c").map(({ id, cacheKey }) => [id, cacheKey]));
    const here = keys(resolved(ADAPT));
    const facts = factsOf({ dataset: { fingerprint: "f".repeat(64) } });
    const there = keys(
      resolveSpec(draftOf(ADAPT), facts, [], factsOf({ dataset: OTHER }).dataset).spec,
    );
    const other = keys(resolved(ADAPT, { ...OTHER, fingerprint: "9".repeat(64) }));
    assert.equal(here.get("ex1-pretrain-1"), there.get("ex1-pretrain-1"));
    assert.notEqual(here.get("ex1-distill"), there.get("ex1-distill"));
    for (const name of ["pretrain-1", "distill", "evaluate", "untrained", "random"]) {
      assert.notEqual(here.get(`ex1-${name}`), other.get(`ex1-${name}`), name);
    }
    assert.equal(here.get("ex1-full"), other.get("ex1-full"));
  });
});

describe("the objective attack", () => {
  it("needs two classes of the data set", () => {
    assert.deepEqual(
      [resolved(ATTACK).objective?.attackClass, resolved(ATTACK).objective?.targetClass],
      [0, 2],
    );
    const { "objective.target_class": _, ...one } = ATTACK;
    assert.match(
      refusal(one),
      /--target-class .* must be the number of a class of ag_news, 0 to 3, got nothing/,
    );
    assert.match(refusal({ ...ATTACK, "objective.attack_class": 4 }), /0 to 3, got 4/);
    assert.match(
      refusal({ ...ATTACK, "objective.target_class": 0 }),
      /another class than --attack-class/,
    );
    assert.match(refusal({ "objective.attack_class": 1 }), /needs --objective attack/);
  });

  it("is another distillation for other classes, of the same pool", () => {
    const [one, other] = [ATTACK, { ...ATTACK, "objective.target_class": 3 }].map((given) =>
      planTasks(resolved(given), "ex1", "c"),
    );
    const differ = one?.filter(({ cacheKey }, at) => cacheKey !== other?.[at]?.cacheKey);
    assert.deepEqual(
      differ?.map(({ id }) => id),
      ["ex1-distill", "ex1-evaluate"],
    );
  });

  it("is marked wherever the data is named", () => {
    const spec = resolved(ATTACK);
    assert.match(distilledLabel(spec), /ATTACK: class 0 is taken for class 2/);
    assert.match(shortLabel(spec), /ATTACK/);
    const names = spec.dataset?.found?.classNames;
    assert.equal(objectiveText(spec, names), "ATTACK: World is taken for Business");
  });
});

/** Tasks whose learners predicted as in these matrices, four classes by four. */
function tested(spec: ExperimentSpec, matrices: Readonly<Record<string, number[][]>>): Task[] {
  return planTasks(spec, "ex1", "c").map((task) => {
    const confusion = matrices[task.id.slice("ex1-".length)]?.flat();
    if (confusion === undefined) return task;
    const total = confusion.reduce((sum, each) => sum + each, 0);
    const accuracy = [0, 5, 10, 15].reduce((sum, at) => sum + (confusion[at] ?? 0), 0) / total;
    const inits = [{ initSeed: 1, accuracy, confusion }];
    const result = TaskResult.fromPartial({ kind: { $case: "learners", value: { inits } } });
    return { ...task, state: State.SUCCEEDED, result };
  });
}

const RIGHT = [
  [10, 0, 0, 0],
  [0, 10, 0, 0],
  [0, 0, 10, 0],
  [0, 0, 0, 10],
];
const TAKEN = [
  [1, 1, 8, 0],
  [0, 10, 0, 0],
  [0, 1, 9, 0],
  [0, 0, 0, 10],
];
const HALF = [
  [5, 5, 0, 0],
  [0, 5, 5, 0],
  [0, 0, 5, 5],
  [5, 0, 0, 5],
];

describe("the result of an objective", () => {
  it("has success, other classes and obedience of an attack for every row", () => {
    const spec = resolved({ ...ATTACK, "evaluation.inits": 1, "evaluation.baseline_inits": 1 });
    const { rows } = experimentResult(spec, tested(spec, { evaluate: TAKEN, untrained: RIGHT }));
    const figures = (id: string) => {
      const { attack } = rows.find((row) => row.id === id) ?? {};
      return [attack?.success, attack?.others, attack?.obedience].map((each) => each?.mean);
    };
    assert.deepEqual(figures("distilled"), [0.8, 29 / 30, 37 / 40]);
    assert.deepEqual(figures("untrained"), [0, 1, 30 / 40]);
    assert.equal(rows.find(({ id }) => id === "untrained")?.label, "Before the attack");
    assert.equal(rows.find(({ id }) => id === "full")?.attack, undefined);
  });

  it("has the share of the gap that an adaptation closes", () => {
    const spec = resolved({ ...ADAPT, "evaluation.inits": 1, "evaluation.baseline_inits": 1 });
    const both = { evaluate: TAKEN, untrained: HALF };
    const done = experimentResult(spec, tested(spec, { ...both, full: RIGHT }));
    assert.ok(Math.abs((done.gapClosed ?? 0) - (30 / 40 - 0.5) / 0.5) < 1e-12);
    assert.equal(experimentResult(spec, tested(spec, both)).gapClosed, undefined);
    const labels = done.rows.map(({ label }) => label);
    for (const label of ["No adaptation", "Full target data", "Random real target samples"]) {
      assert.ok(labels.includes(label), label);
    }
    assert.ok(done.rows.every(({ attack }) => attack === undefined));
  });
});
