import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { searchText } from "../../src/cli/sweep/search-output.js";
import { searchAxis, suggestedText, textInSpec } from "../../src/cli/sweep/search-space.js";
import { parseSweepArguments } from "../../src/cli/sweep/sweep-arguments.js";
import { readField } from "../../src/settings/field-path.js";
import { findSetting } from "../../src/settings/settings.js";
import { outcomeOf } from "../fixtures/distillations.js";
import { resolvedSpec } from "../fixtures/experiments.js";

const SURROUNDINGS = { userFolder: "/", dataDir: undefined, columns: undefined };

function search(line: string) {
  const request = parseSweepArguments(["--search", ...line.split(" ")], SURROUNDINGS);
  assert.equal(request.kind, "search");
  return request as Extract<typeof request, { kind: "search" }>;
}

function axis(flag: string, raw: string) {
  const setting = findSetting(flag);
  assert.ok(setting);
  return searchAxis(setting, raw);
}

describe("the space of a search", () => {
  it("has ranges, on a logarithmic scale where asked for, and lists", () => {
    assert.deepEqual(axis("lr", "0.005..0.05:log"), {
      ...{ kind: "range", flag: "lr", low: 0.005, high: 0.05 },
      ...{ isInteger: false, isLog: true },
    });
    assert.deepEqual(axis("steps", "1..3"), {
      ...{ kind: "range", flag: "steps", low: 1, high: 3 },
      ...{ isInteger: true, isLog: false },
    });
    assert.deepEqual(axis("lambda", "1, 10"), {
      ...{ kind: "choices", flag: "lambda", values: ["1", "10"] },
    });
    assert.equal(axis("lr", "0.005"), undefined);
  });

  it("refuses an axis that changes the measurement, and an invalid range", () => {
    assert.throws(() => axis("seed", "0..9"), /--seed cannot be searched, got 0\.\.9/);
    assert.throws(() => axis("validations", "1,2"), /--validations cannot be searched/);
    assert.throws(() => axis("lr", "0.1..0.01"), /--lr must rise from low to high/);
    assert.throws(() => axis("lr", "x..0.01"), /--lr .* must be .*got x/);
    assert.throws(() => axis("lambda", "0..1:log"), /--lambda must be > 0 for :log/);
    assert.throws(() => axis("sl", "none..restricted"), /--sl has no range/);
    assert.throws(() => axis("sl", "none,hard"), /must be one of .*got hard/);
  });

  it("gives numbers with few digits, between the ends of the range", () => {
    const lr = axis("lr", "0.0051234..0.05:log");
    assert.ok(lr);
    assert.equal(suggestedText(lr, 0.0123456), "0.01235");
    assert.equal(suggestedText(lr, 0.0051234), "0.0051234");
  });
});

describe("what an experiment has without a search", () => {
  it("is taken where it lies in the space, as a person would type it", () => {
    const spec = resolvedSpec();
    const own = (flag: string, raw: string) => {
      const found = axis(flag, raw);
      assert.ok(found);
      return textInSpec(found, spec);
    };
    const { lr } = spec.outer ?? {};
    assert.equal(own("lr", `${Number(lr) / 2}..${Number(lr) * 2}:log`), String(lr));
    assert.equal(own("lr", `${Number(lr) * 2}..${Number(lr) * 4}`), undefined);
    assert.equal(own("lr", `${lr}0,${Number(lr) * 3}`), `${lr}0`);
    assert.equal(own("sl", "none,restricted"), "none");
    assert.equal(own("sl", "unrestricted,restricted"), undefined);
  });

  it("has no flag of the space", () => {
    const { unsearched } = search("--lr 0.005..0.05:log --sl none,restricted --steps 2");
    assert.equal(readField(unsearched.draft, "outer.lr"), undefined);
    assert.equal(readField(unsearched.draft, "distilled.labels"), "LABELS_UNSPECIFIED");
    assert.equal(readField(unsearched.draft, "inner.steps"), 2);
  });
});

describe("the arguments of a search", () => {
  it("make trials that never read the test split, and one experiment that does", () => {
    const request = search("--lr 0.005..0.05:log --sl none,restricted --inits 7 --seed 3");
    assert.equal(request.numTrials, 20);
    assert.equal(request.maxParallel, 1);
    assert.equal(request.seed, 3);
    const settings = new Map([
      ["sl", "restricted"],
      ["lr", "0.01"],
    ]);
    const { label, draft } = request.trialOf(settings);
    assert.equal(label, "--sl restricted --lr 0.01");
    assert.equal(readField(draft, "outer.lr"), 0.01);
    assert.equal(readField(draft, "evaluation.inits"), 0);
    for (const name of ["full", "random", "untrained"]) {
      assert.equal(readField(draft, `baseline.${name}`), false);
    }
    const asked = request.experimentOf(settings).draft;
    assert.equal(readField(asked, "evaluation.inits"), 7);
    assert.equal(readField(asked, "baseline.full"), undefined);
    assert.equal(
      request.commandOf(settings),
      "npm run experiment -- --sl restricted --lr 0.01 --inits 7 --seed 3",
    );
  });

  it("must name what is searched, and how often", () => {
    assert.throws(() => search("--lr 0.1"), /--search needs what to search/);
    assert.throws(() => search("--lr 0.1..1 --trials 0"), /--trials must be .* got 0/);
    assert.throws(
      () => parseSweepArguments(["--trials", "3"], SURROUNDINGS),
      /--trials is for --search/,
    );
  });
});

it("a search names the trial that it tested, and calls none better than another", () => {
  const request = search("--lr 0.01,0.02,0.03 --trials 3");
  const trials = ["0.01", "0.02", "0.03"].map((lr, seed) => ({
    settings: new Map([["lr", lr]]),
    outcome: outcomeOf(seed),
    accuracy: [0.8, 0.9, 0.9][seed],
  }));
  const text = searchText(request, trials, outcomeOf(1), undefined);
  assert.match(
    text,
    /^Tested: trial 2, the first with the highest validation accuracy, --lr 0\.02$/m,
  );
  assert.match(text, /^One distillation each:/m);
  assert.match(text, /│ 2 \* +│ 0\.02 +│ 90\.0 /);
  assert.doesNotMatch(text, /\bbest\b|\bbetter\b/i);
});
