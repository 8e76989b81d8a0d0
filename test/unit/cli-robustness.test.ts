import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { robustnessDocument, robustnessText } from "../../src/cli/results/robustness-output.js";
import { robustnessResult } from "../../src/cli/results/robustness-result.js";
import { parseRobustnessArguments } from "../../src/cli/robustness/robustness-arguments.js";
import { StillhouseError } from "../../src/errors.js";
import { Experiment, Variation } from "../../src/generated/stillhouse/v1/experiment.js";
import { ExperimentSpec, RobustnessCheck } from "../../src/generated/stillhouse/v1/spec.js";
import { experimentResult } from "../../src/results/experiment-result.js";
import { labelRobust } from "../../src/results/relative-scores.js";
import { variationText } from "../../src/results/variation-text.js";
import { resolvedSpec } from "../fixtures/experiments.js";

function task(work: object, accuracies: readonly number[], more: object = {}): object {
  const inits = accuracies.map((accuracy, index) => ({ init_seed: index + 1, accuracy }));
  const result = { learners: { inits, train_samples: 4, gd_steps: 1, ...more } };
  return { state: "STATE_SUCCEEDED", work, result };
}

const evaluation = (variation?: object) => ({ evaluate: { init_seeds: [1, 2], variation } });
const baseline = (kind: string) => ({ baseline: { kind: `BASELINE_KIND_${kind}` } });

const SPEC = ExperimentSpec.fromJSON({
  ...(ExperimentSpec.toJSON(resolvedSpec()) as object),
  robustness: { artifact_id: "a1" },
});

const STORED = Experiment.fromJSON({
  id: "x1",
  spec: ExperimentSpec.toJSON(SPEC),
  state: "STATE_FAILED",
  tasks: [
    task(evaluation(), [0.88]),
    {
      ...task(evaluation(), []),
      result: { learners: { inits: [{ init_seed: 2, accuracy: 0.9 }] } },
    },
    task(evaluation({ name: "hard-labels", hard_labels: true }), [0.7, 0.8], { chosen_lr: 0.1 }),
    task(evaluation({ name: "random-own-labels", samples: "SAMPLE_SOURCE_RANDOM" }), [0.5, 0.6]),
    {
      state: "STATE_FAILED",
      work: evaluation({ name: "adam", optimiser: "OPTIMISER_ADAM" }),
      failure: { kind: "FAILURE_KIND_INTERNAL", message: "it broke" },
    },
    { state: "STATE_QUEUED", work: evaluation({ name: "steps-2", steps: 2 }) },
    task(baseline("FULL"), [0.91]),
    task(baseline("RANDOM"), [0.3, 0.5]),
    task(baseline("HERDING"), [0.4, 0.4]),
  ],
});

const EXPERIMENT = { ...STORED, result: experimentResult(STORED.spec, STORED.tasks) };

describe("the robustness of distilled data", () => {
  const { conditions, scores } = robustnessResult(EXPERIMENT);

  it("is compared learner by learner with the plain evaluation, whose shards are one", () => {
    const [plain, hard] = conditions;
    assert.equal(plain?.row?.accuracy.n, 2);
    assert.equal(plain?.difference, null);
    assert.ok(Math.abs((hard?.difference?.mean ?? 0) + 0.14) < 1e-12);
    assert.equal(hard?.difference?.n, 2);
  });

  it("names what failed beside what was measured, and what is still to be measured", () => {
    const [adam, twoSteps] = ["adam", "steps-2"].map((id) =>
      conditions.find((condition) => condition.id === id),
    );
    assert.deepEqual([adam?.row, adam?.failure], [undefined, "it broke"]);
    assert.deepEqual([twoSteps?.row, twoSteps?.failure], [undefined, null]);
  });

  it("has the relative scores of DD-Ranking, by their formulas", () => {
    assert.ok(Math.abs((scores.hardLabelRecovery ?? 0) - (0.91 - 0.75)) < 1e-12);
    const [random, herding] = scores.comparisons;
    assert.ok(Math.abs((random?.iorHard?.mean ?? 0) - (0.75 - 0.4)) < 1e-12);
    assert.ok(Math.abs((random?.iorOwn?.mean ?? 0) - (0.89 - 0.55)) < 1e-12);
    const alpha = 0.5 * 0.34 - 0.5 * 0.16;
    const score = (Math.E ** alpha - Math.E ** -1) / (Math.E - Math.E ** -1);
    assert.ok(Math.abs((random?.labelRobustScore ?? 0) - score) < 1e-12);
    assert.equal(herding?.iorOwn, null);
    assert.ok(
      (herding?.labelRobustScore ?? 0) > 0.3,
      "with hard labels where it has none of its own",
    );
  });

  it("scores 1 at best and 0 at worst", () => {
    assert.ok(Math.abs(labelRobust(1, -1) - 1) < 1e-12);
    assert.ok(Math.abs(labelRobust(-1, 1)) < 1e-12);
  });

  it("is shown as tables without escape sequences, and as one JSON document", () => {
    const result = robustnessResult(EXPERIMENT);
    const text = robustnessText(EXPERIMENT, result);
    assert.match(text, /│ as distilled +│ +1 │ +│ +89\.0 ± 1\.0 │ +│ 2 │/);
    assert.match(text, /│ hard labels +│ +1 │ +0\.1 │ +75\.0 ± 5\.0 │ +−14\.0 │ 2 │/);
    assert.match(text, /│ Adam +│ +│ +│ +failed │ +it broke │/);
    assert.match(text, /│ 2 steps +│ +│ +│ +not yet │ +│ +│/);
    assert.match(text, /Hard-label recovery: 16\.0 points/);
    assert.ok(!text.includes("\u001b"));
    const document = JSON.parse(JSON.stringify(robustnessDocument(EXPERIMENT, result)));
    assert.equal(document.conditions[1].id, "hard-labels");
    assert.equal(document.conditions[1].difference.n, 2);
    assert.equal(document.conditions[3].failure, "it broke");
    assert.equal(document.relative_scores.against[0].id, "random");
  });
});

describe("a variation in words", () => {
  it("says what differs", () => {
    const text = (json: object) => variationText(Variation.fromJSON(json));
    assert.equal(text({ steps: 1 }), "1 step");
    assert.equal(text({ batch_size: 1, shuffled: true }), "1 sample per gradient step, shuffled");
    assert.equal(
      text({ samples: "SAMPLE_SOURCE_HERDING" }),
      "real samples by herding, labels of the distilled data",
    );
    assert.equal(
      text({
        transfer_to: { name: "/m/deeper", num_layers: 12, num_heads: 12 },
        without_attention_labels: true,
      }),
      "trains deeper (12 layers, 12 heads), no attention labels",
    );
    assert.equal(text({ transfer_to: { name: "convnet" } }), "trains convnet");
  });
});

describe("the arguments of robustness", () => {
  const surroundings = { userFolder: "/user", dataDir: undefined, columns: undefined };
  const parse = (...argv: string[]) => parseRobustnessArguments(argv, surroundings);

  it("ask for every check and the baselines of the scores by themselves", () => {
    const request = parse("a1");
    assert.ok(request.kind === "run");
    const { robustness, baseline: wanted, evaluation: counts } = request.draftFor("a2");
    assert.equal(robustness?.artifactId, "a2");
    assert.equal(robustness?.checks.length, 8);
    assert.deepEqual([wanted?.full, wanted?.kcenter, wanted?.untrained], [true, true, false]);
    assert.equal(counts?.inits, undefined);
  });

  it("are read into the draft", () => {
    const request = parse(
      ...["a1", "--inits", "3", "--checks", "steps,decoding", "--steps", "2,10"],
      ...["--baselines", "random", "--transfer-to", "./tiny", "minilm", "--json"],
    );
    assert.ok(request.kind === "run");
    const { robustness, baseline: wanted, evaluation: counts } = request.draftFor("a1");
    assert.deepEqual(robustness?.checks, [RobustnessCheck.STEPS, RobustnessCheck.DECODING]);
    assert.deepEqual(robustness?.steps, [2, 10]);
    assert.deepEqual(
      robustness?.transferTo.map(({ name }) => name),
      ["/user/tiny", "minilm"],
    );
    assert.deepEqual([wanted?.full, wanted?.random, wanted?.herding], [false, true, false]);
    assert.deepEqual([counts?.inits, counts?.baselineInits], [3, 3]);
  });

  it("name what is wrong", () => {
    const wrong: [string[], RegExp][] = [
      [[], /which artifact/],
      [["a1", "--checks", "labels,lables"], /--checks must be all, none, or some of labels,steps/],
      [["a1", "--steps", "2,2"], /--steps must be distinct whole numbers .* got 2,2/],
      [["a1", "--inits", "0"], /--inits must be ≥ 1, got 0/],
      [["a1", "--lr", "1"], /unknown option '--lr'/],
    ];
    for (const [argv, message] of wrong) {
      assert.throws(
        () => parse(...argv),
        (error) => error instanceof StillhouseError && message.test(error.message),
      );
    }
  });
});
