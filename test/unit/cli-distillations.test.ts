import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  distillationsDocument,
  distillationsText,
} from "../../src/cli/experiment/distillations-output.js";
import { parseExperimentArguments } from "../../src/cli/experiment/experiment-arguments.js";
import { parseReproduceArguments } from "../../src/cli/reproduce/reproduce-arguments.js";
import { resultDocument } from "../../src/cli/results/result-document.js";
import type { Outcome } from "../../src/cli/run/experiment-runner.js";
import { failedOf, outcomeOf } from "../fixtures/distillations.js";

const SURROUNDINGS = { userFolder: "/", dataDir: undefined, columns: 80 };

function seedsOf(argv: readonly string[]): readonly number[] {
  const request = parseReproduceArguments(argv, SURROUNDINGS);
  assert.equal(request.kind, "run");
  return request.seeds;
}

describe("reproduce --distillations", () => {
  it("is short for the seeds from 0 on", () => {
    assert.deepEqual(seedsOf([]), [0]);
    assert.deepEqual(seedsOf(["--distillations", "1"]), [0]);
    assert.deepEqual(seedsOf(["--distillations", "3"]), seedsOf(["--seeds", "0,1,2"]));
  });

  it("refuses an invalid number of distillations, and --seeds beside it", () => {
    for (const wrong of ["0", "-1", "1.5", "two", "", "1001"]) {
      assert.throws(
        () => seedsOf([`--distillations=${wrong}`]),
        new RegExp(`from 1 to 1000, got "${wrong}"`),
      );
    }
    assert.throws(
      () => seedsOf(["--distillations", "2", "--seeds", "0,1"]),
      /--distillations takes the seeds from 0 on, and --seeds names them; give one of the two/,
    );
  });
});

describe("experiment --distillations", () => {
  const seeds = (argv: readonly string[]) => {
    const request = parseExperimentArguments(argv, SURROUNDINGS);
    assert.equal(request.kind, "new");
    return request.seeds;
  };

  it("takes the seeds from --seed on", () => {
    assert.deepEqual(seeds([]), [0]);
    assert.deepEqual(seeds(["--seed", "7"]), [7]);
    assert.deepEqual(seeds(["--seed", "7", "--distillations", "3"]), [7, 8, 9]);
  });

  it("refuses seeds beyond the last one, and what goes with one experiment alone", () => {
    assert.throws(() => seeds(["--seed", "4294967295", "--distillations", "2"]), /ends at 429/);
    assert.deepEqual(seeds(["--seed", "4294967295"]), [4294967295]);
    assert.throws(() => seeds(["--resume", "x", "--distillations", "2"]), /leave out all others/);
    assert.throws(
      () => seeds(["--write-dataset-json", "--distillations", "2"]),
      /goes with one distillation; leave out --distillations/,
    );
  });
});

describe("several distillations", () => {
  const three = [0, 1, 2].map(outcomeOf);

  it("are shown one by one, and beneath their mean with its spread and interval", () => {
    const text = distillationsText(three, undefined);
    const line = (label: string) =>
      text
        .split("\n")
        .find((row) => row.includes(label))
        ?.split("│")
        .map((cell) => cell.trim())
        .slice(4, 8);
    assert.deepEqual(line("Distilled data, seed 0"), ["91.0 ± 0.8", "3", "", ""]);
    assert.deepEqual(line("Distilled data, seed 2"), ["81.0 ± 0.8", "3", "", ""]);
    // 86 ± 4.3027 · 5 / √3
    assert.deepEqual(line("Mean of 3 distillations"), ["86.0 ± 4.2", "9", "± 4.1", "73.6 to 98.4"]);
    assert.deepEqual(line("Full data"), ["95.0", "1", "", "–"], "shared by all seeds");
    assert.match(text, /^Ratio to full data: 90\.5 ± 4\.3 %, ± between seeds$/m);
    assert.match(
      text,
      /^Seed 2 \(x2\)\. Kept outer step .*\. Distilled data: \/home\/artifacts\/a2$/m,
    );
  });

  it("have no interval below three, and no mean where one is left", () => {
    const two = distillationsText(three.slice(0, 2), undefined);
    assert.match(two, /Mean of 2 distillations .*│ +± 2\.5 │ +– │/);
    const one = distillationsText([three[0] as Outcome, failedOf(1)], undefined);
    assert.doesNotMatch(one, /Mean of/);
    assert.match(one, /^Seed 1 \(x1\) has failed: /m);
  });

  it("are one JSON document that has the fields of one experiment, too", () => {
    const [first] = three as [Outcome];
    const { sweep_id, over_seeds, distillations, ...own } = distillationsDocument([
      ...three,
      failedOf(3),
    ]) as { sweep_id: string; over_seeds: object[]; distillations: Record<string, unknown>[] };
    assert.deepEqual(own, resultDocument(first.experiment, first.artifactPath));
    assert.equal(sweep_id, "s1");
    assert.deepEqual(
      distillations.map(({ seed, experiment_id, artifact }) => [seed, experiment_id, artifact]),
      [
        [0, "x0", "/home/artifacts/a0"],
        [1, "x1", "/home/artifacts/a1"],
        [2, "x2", "/home/artifacts/a2"],
        [3, "x3", undefined],
      ],
    );
    const found = over_seeds as { id: string; seeds: number[]; distillations: { n: number } }[];
    const distilled = found.find(({ id }) => id === "distilled");
    assert.deepEqual([distilled?.seeds, distilled?.distillations.n], [[0, 1, 2], 3]);
  });
});
