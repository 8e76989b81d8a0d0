import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { StillhouseError } from "../../src/errors.js";
import { initSeeds } from "../../src/experiment/domain/init-seeds.js";
import { planTasks } from "../../src/experiment/domain/plan.js";
import type { Task } from "../../src/generated/stillhouse/v1/experiment.js";
import {
  type ExperimentSpec,
  FloatType,
  HeadInit,
  Init,
  LabelInit,
  Labels,
  LrParametrisation,
  LrSchedule,
  OuterOptimiser,
  Preset,
  Protocol,
} from "../../src/generated/stillhouse/v1/spec.js";
import { CODE_VERSION, resolvedSpec } from "../fixtures/experiments.js";

function plan(spec: ExperimentSpec, codeVersion = CODE_VERSION) {
  return planTasks(spec, "ex1", codeVersion);
}

function seedsOf(task: Task | undefined): number[] {
  const kind = task?.work?.kind;
  return kind && kind.$case !== "distill" ? kind.value.initSeeds : [];
}

function keysOf(change: (spec: ExperimentSpec) => void, codeVersion = CODE_VERSION) {
  const spec = resolvedSpec();
  change(spec);
  const tasks = plan(spec, codeVersion);
  return Object.fromEntries(tasks.map((task) => [task.id.slice("ex1-".length), task.cacheKey]));
}

describe("init seeds", () => {
  it("are distinct uint32 that never equal the experiment's seed", () => {
    const seeds = initSeeds(42, 5000);
    assert.equal(new Set(seeds).size, 5000);
    assert.ok(seeds.every((seed) => Number.isInteger(seed) && seed >= 0 && seed < 2 ** 32));
    assert.ok(!seeds.includes(42));
  });

  it("are the documented function, so that results can be repeated elsewhere", () => {
    // printf 'stillhouse/init-seed/0/0' | sha256sum | head -c 8
    assert.equal(initSeeds(0, 1)[0], 0xd8a27152);
  });

  it("of a longer list begin with the shorter one, and differ between experiments' seeds", () => {
    assert.deepEqual(initSeeds(1, 20).slice(0, 5), initSeeds(1, 5));
    assert.ok(!initSeeds(2, 20).some((seed) => initSeeds(1, 20).includes(seed)));
  });
});

describe("a plan", () => {
  it("dispatches the distillation, the evaluation, then the baselines", () => {
    const ids = plan(resolvedSpec()).map((task) => task.id);
    assert.deepEqual(ids, [
      "ex1-distill",
      "ex1-evaluate",
      "ex1-full",
      "ex1-random",
      "ex1-untrained",
    ]);
  });

  it("has only the baselines that are enabled", () => {
    const spec = resolvedSpec();
    spec.baseline = { ...spec.baseline, full: false, random: true, untrained: false };
    const ids = plan(spec).map((task) => task.id);
    assert.deepEqual(ids, ["ex1-distill", "ex1-evaluate", "ex1-random"]);
  });

  it("without test learners has the baselines alone, and without those the distillation", () => {
    const idsOf = (full: boolean) => {
      const spec = resolvedSpec();
      Object.assign(spec.evaluation ?? {}, { inits: 0 });
      spec.baseline = { ...spec.baseline, full, random: false, untrained: false };
      return plan(spec).map((task) => task.id);
    };
    assert.deepEqual(idsOf(true), ["ex1-full"]);
    assert.deepEqual(idsOf(false), ["ex1-distill"]);
  });

  it("cuts an evaluation into shards of ten, so that a longer one contains those of a shorter one", () => {
    const shardsOfCount = (inits: number) => {
      const spec = resolvedSpec((draft) => Object.assign(draft.evaluation ?? {}, { inits }));
      return plan(spec).filter((task) => task.work?.kind?.$case === "evaluate");
    };
    const sizes = (inits: number) => shardsOfCount(inits).map((task) => seedsOf(task).length);
    assert.deepEqual(sizes(19), [19]);
    assert.deepEqual(sizes(20), [10, 10]);
    assert.deepEqual(sizes(38), [10, 10, 18]);
    assert.deepEqual(shardsOfCount(100).flatMap(seedsOf), initSeeds(7, 100));
    assert.deepEqual(
      shardsOfCount(25).map((task) => task.id),
      ["ex1-evaluate-1", "ex1-evaluate-2"],
    );
    assert.equal(shardsOfCount(20)[0]?.cacheKey, shardsOfCount(100)[0]?.cacheKey);
    assert.notEqual(shardsOfCount(20)[0]?.cacheKey, shardsOfCount(20)[1]?.cacheKey);
  });

  it("compares with coresets on request, on the same learners", () => {
    const spec = resolvedSpec((draft) =>
      Object.assign(draft.baseline ?? {}, { herding: true, kcenter: true }),
    );
    const tasks = plan(spec).slice(4, 6);
    assert.deepEqual(
      tasks.map((task) => task.id),
      ["ex1-herding", "ex1-kcenter"],
    );
    for (const task of tasks) assert.deepEqual(seedsOf(task), initSeeds(7, 2));
    assert.equal(new Set(plan(spec).map((task) => task.cacheKey)).size, 7);
  });

  it("tests all tasks on the same learners, the full baseline on the same in every plan", () => {
    const [, evaluate, full, random, untrained] = plan(resolvedSpec());
    assert.deepEqual(seedsOf(evaluate), initSeeds(7, 3));
    assert.deepEqual(seedsOf(full), initSeeds(0, 1));
    assert.deepEqual(seedsOf(random), initSeeds(7, 2));
    assert.deepEqual(seedsOf(untrained), initSeeds(7, 2));
  });

  it("tests one learner with a fixed init, but random samples as often as asked", () => {
    const spec = resolvedSpec((draft) => {
      if (draft.model) draft.model.init = Init.FIXED;
    });
    const [, evaluate, full, random, untrained] = plan(spec);
    assert.deepEqual([evaluate, full, untrained].map(seedsOf), [[7], [7], [7]]);
    assert.deepEqual(seedsOf(random), initSeeds(7, 2));
  });

  it("refuses a spec that is not resolved, by the name of the field", () => {
    const spec = resolvedSpec();
    spec.seed = undefined;
    assert.throws(
      () => plan(spec),
      (error) => error instanceof StillhouseError && error.field === "seed",
    );
  });
});

describe("a cache key", () => {
  const original = keysOf(() => {});

  it("is 64 hexadecimal digits, different for each task", () => {
    for (const key of Object.values(original)) assert.match(key, /^[0-9a-f]{64}$/);
    assert.equal(new Set(Object.values(original)).size, 5);
  });

  it("changes with everything that determines the result, and with nothing else", () => {
    const all = ["distill", "evaluate", "full", "random", "untrained"];
    const distilled = all.slice(0, 2);
    const cases: [string, (spec: ExperimentSpec) => void, string[]][] = [
      ["data set", (s) => Object.assign(s.dataset ?? {}, { fingerprint: "other" }), all],
      ["text length", (s) => Object.assign(s.dataset ?? {}, { maxLength: 9 }), all],
      ["split", (s) => Object.assign(s.dataset ?? {}, { validationFraction: 0.3 }), all],
      ["model", (s) => Object.assign(s.model ?? {}, { fingerprint: "other" }), all],
      ["head", (s) => Object.assign(s.model ?? {}, { headInit: HeadInit.NORMAL }), all],
      ["init", (s) => Object.assign(s.model ?? {}, { init: Init.FIXED }), all],
      ["seed", (s) => Object.assign(s, { seed: 8 }), all.filter((name) => name !== "full")],
      ["precision", (s) => Object.assign(s.compute ?? {}, { precision: FloatType.FP16 }), all],
      ["kind of device", (s) => Object.assign(s.compute ?? {}, { device: "cuda:1" }), all],
      [
        "learners of baselines",
        (s) => Object.assign(s.evaluation ?? {}, { baselineInits: 4 }),
        ["random", "untrained"],
      ],
      [
        "protocol",
        (s) => Object.assign(s.evaluation ?? {}, { protocol: Protocol.PAPER }),
        [...distilled, "full"],
      ],
      ["epochs", (s) => Object.assign(s.baseline ?? {}, { fullEpochs: 9 }), ["full"]],
      ["batch", (s) => Object.assign(s.baseline ?? {}, { fullBatchSize: 9 }), ["full"]],
      ["rate", (s) => Object.assign(s.baseline ?? {}, { fullLr: 0.123 }), ["full"]],
      ["dropout", (s) => Object.assign(s.baseline ?? {}, { fullDropout: 0.3 }), ["full"]],
      [
        "samples",
        (s) => Object.assign(s.distilled ?? {}, { perClass: 9 }),
        [...distilled, "random"],
      ],
      [
        "gradient steps",
        (s) => Object.assign(s.inner ?? {}, { steps: 9 }),
        [...distilled, "random"],
      ],
      ["labels", (s) => Object.assign(s.distilled ?? {}, { labels: Labels.RESTRICTED }), distilled],
      ["outer steps", (s) => Object.assign(s.outer ?? {}, { steps: 77 }), distilled],
      ["meta-gradient", (s) => Object.assign(s.outer ?? {}, { metaGradient: "x" }), distilled],
      ["processes", (s) => Object.assign(s.compute ?? {}, { numDevices: 2 }), distilled],
      ["test learners", (s) => Object.assign(s.evaluation ?? {}, { inits: 9 }), ["evaluate"]],
      ["name", (s) => Object.assign(s, { name: "another" }), []],
      ["memory", (s) => Object.assign(s.outer ?? {}, { activationMib: 1, trajectoryMib: 1 }), []],
    ];
    for (const [what, change, expected] of cases) {
      const keys = keysOf(change);
      const changed = all.filter((name) => keys[name] !== original[name]);
      assert.deepEqual(changed, expected, `another ${what}`);
    }
    const keys = keysOf(() => {}, "other code");
    assert.ok(
      all.every((name) => keys[name] !== original[name]),
      "another code",
    );
  });

  it("is what it was before the outer optimiser could be chosen", () => {
    const values = resolvedSpec((draft) => Object.assign(draft, { preset: Preset.CPU_LONG }));
    const former = keysOf((spec) => Object.assign(spec, { ...values, preset: spec.preset }));
    // Computed by the code without these fields.
    assert.equal(
      former.distill,
      "ffeb777beb69cf87f8b6b5e5220a5b1815f5d02934db39755e51ff5258029834",
    );
    assert.equal(
      former.evaluate,
      "d292d23cd1ff18c7440d2a7dd953e351086f3a3805c11b99f27a2f07f5be8471",
    );
    const unset = { optimiser: undefined, beta1: undefined, labelsLr: undefined };
    assert.deepEqual(
      keysOf((spec) => Object.assign(spec.outer ?? {}, unset)),
      original,
    );
  });

  it("changes with every choice of the outer optimiser", () => {
    const choices = {
      optimiser: OuterOptimiser.SGD,
      beta1: 0.5,
      beta2: 0.5,
      weightDecay: 0.1,
      momentum: 0.1,
      lrSchedule: LrSchedule.STEP,
      lrDecay: 0.1,
      lrDecaySteps: 3,
      labelsLr: 0.3,
      ratesLr: 0.3,
      window: 1,
    };
    for (const [key, value] of Object.entries(choices)) {
      const keys = keysOf((spec) => Object.assign(spec.outer ?? {}, { [key]: value }));
      const changed = Object.keys(keys).filter((name) => keys[name] !== original[name]);
      assert.deepEqual(changed, ["distill", "evaluate"], key);
    }
  });

  it("changes with blocks and samples, on which real samples depend too", () => {
    const changedBy = (change: (spec: ExperimentSpec) => void) => {
      const keys = keysOf(change);
      return Object.keys(keys).filter((name) => keys[name] !== original[name]);
    };
    for (const choice of [{ samples: 3 }, { blocks: 2 }, { sampleClasses: "0,1,2,3" }]) {
      const changed = changedBy((spec) => Object.assign(spec.distilled ?? {}, choice));
      assert.deepEqual(changed, ["distill", "evaluate", "random"], JSON.stringify(choice));
    }
    const labels = { labelInit: LabelInit.NOISE };
    const rates = { lrParametrisation: LrParametrisation.SOFTPLUS };
    assert.deepEqual(
      changedBy((spec) => Object.assign(spec.distilled ?? {}, labels)),
      ["distill", "evaluate"],
    );
    assert.deepEqual(
      changedBy((spec) => Object.assign(spec.inner ?? {}, rates)),
      ["distill", "evaluate"],
    );
  });

  it("is the same on another device of the same kind", () => {
    const onCard = (device: string) =>
      keysOf((spec) => Object.assign(spec.compute ?? {}, { device }));
    assert.deepEqual(onCard("cuda:0"), onCard("cuda:3"));
  });
});
