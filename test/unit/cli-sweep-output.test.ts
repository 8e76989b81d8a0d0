import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { parseSweepArguments } from "../../src/cli/sweep/sweep-arguments.js";
import { sweepDocument, sweepText } from "../../src/cli/sweep/sweep-output.js";
import { failedOf, outcomeOf } from "../fixtures/distillations.js";

/** A sweep in which every setting has the accuracies of its seeds, and these seeds have failed. */
function sweepOf(line: string, failed: readonly number[] = []) {
  const request = parseSweepArguments(line.split(" "), {
    userFolder: "/",
    dataDir: undefined,
    columns: undefined,
  });
  assert.equal(request.kind, "run");
  const { axes, cells } = request;
  const outcomes = cells.map(({ draft }) => {
    const seed = draft.seed ?? 0;
    return failed.includes(seed) ? failedOf(seed) : outcomeOf(seed);
  });
  return { axes, cells, outcomes };
}

/** The rows of the last table, without its head. */
function lastTable(text: string): string[][] {
  const table = text.slice(text.lastIndexOf("┌"), text.lastIndexOf("┘"));
  const lines = table.split("\n").filter((line) => line.startsWith("│"));
  return lines.slice(1).map((line) =>
    line
      .split("│")
      .slice(1, -1)
      .map((cell) => cell.trim()),
  );
}

describe("a sweep over seeds and another setting", () => {
  it("has a row per setting, with both spreads and from three seeds on an interval", () => {
    const text = sweepText(sweepOf("--sl none,restricted --seed 0,1,2"));
    assert.deepEqual(lastTable(text), [
      ["none", "3", "86.0 ± 4.2", "9", "± 4.1", "73.6 to 98.4"],
      ["restricted", "3", "86.0 ± 4.2", "9", "± 4.1", "73.6 to 98.4"],
    ]);
    assert.match(text, /no greater than the ± between distillations tells nothing\.\n$/);
  });

  it("leaves out seeds without a result", () => {
    const text = sweepText(sweepOf("--sl none,restricted --seed 0,1,2", [2]));
    assert.deepEqual(lastTable(text)[0], ["none", "2", "88.5 ± 2.6", "6", "± 2.5", "–"]);
  });

  it("is a JSON document that has each setting over its seeds, too", () => {
    const { experiments, over_seeds } = sweepDocument(
      sweepOf("--sl none,restricted --seed 0,1,2"),
    ) as {
      experiments: object[];
      over_seeds: { settings: object; seeds: number[]; distillations: { n: number } }[];
    };
    assert.equal(experiments.length, 6);
    assert.deepEqual(
      over_seeds.map(({ settings, seeds, distillations }) => [settings, seeds, distillations.n]),
      [
        [{ sl: "none" }, [0, 1, 2], 3],
        [{ sl: "restricted" }, [0, 1, 2], 3],
      ],
    );
  });
});

it("a sweep with one seed has one table, and says that each setting was distilled once", () => {
  const text = sweepText(sweepOf("--sl none,restricted"));
  assert.equal(text.split("┌").length, 2);
  assert.match(text, /One distillation each:/);
  assert.doesNotMatch(text, /\bbest\b|\bbetter\b|\bgain\b/);
});
