import assert from "node:assert/strict";
import { describe, test } from "node:test";

import {
  comparisonOf,
  comparisonTable,
  numberTable,
} from "../../../src/dashboard/model/comparison.js";
import { CompareExperimentsResponse as PageAnswer } from "../../../src/generated/page/stillhouse/v1/service.js";
import { CompareExperimentsResponse } from "../../../src/generated/stillhouse/v1/service.js";
import { toCsv, toLatex } from "../../../src/text/table-text.js";

const ANSWER = PageAnswer.fromJSON(
  CompareExperimentsResponse.toJSON(
    CompareExperimentsResponse.fromPartial({
      differences: [{ field: "distilled.labels", values: ["none", "restricted"] }],
      experiments: [
        {
          experimentId: "a",
          accuracyMean: 0.7,
          accuracyStd: 0.02,
          accuracyInterval: { low: 0.69, high: 0.71 },
        },
        {
          experimentId: "b",
          accuracyMean: 0.75,
          accuracyStd: 0.01,
          gain: 0.05,
          gainInterval: { low: -0.01, high: 0.08 },
          sharedInits: 20,
        },
      ],
    }),
  ),
);

describe("a comparison", () => {
  const comparison = comparisonOf(
    ANSWER,
    new Map([
      ["a", "first"],
      ["b", "50 % off_shore"],
    ]),
  );

  test("states the gain over the first, with its interval", () => {
    assert.deepEqual(comparisonTable(comparison).rows, [
      ["first", "none", "70.0 ± 2.0", "69.0 to 71.0", "", ""],
      ["50 % off_shore", "restricted", "75.0 ± 1.0", "", "+5.0", "−1.0 to +8.0"],
    ]);
  });

  test("tells two of the same title apart by their ids", () => {
    const same = comparisonOf(
      ANSWER,
      new Map([
        ["a", "x"],
        ["b", "x"],
      ]),
    );
    assert.deepEqual(
      same.experiments.map(({ label }) => label),
      ["x (a)", "x (b)"],
    );
  });

  test("as LaTeX escapes what LaTeX would read", () => {
    const latex = toLatex(comparisonTable(comparison));
    assert.match(latex, /\\begin\{tabular\}\{llllll\}/);
    assert.match(
      latex,
      /50 \\% off\\_shore & restricted & 75\.0 \$\\pm\$ 1\.0 & {2}& \+5\.0 & \$-\$1\.0 to \+8\.0 \\\\/,
    );
    assert.match(latex, /distilled\.labels/);
  });

  test("as CSV has the numbers themselves, quoted where needed", () => {
    const csv = toCsv(numberTable(comparison));
    const [head, first, second] = csv.split("\r\n");
    assert.equal(head?.split(",")[3], "accuracy_mean");
    assert.equal(first, "a,first,none,0.7,0.02,0.69,0.71,,,,0");
    assert.equal(second, "b,50 % off_shore,restricted,0.75,0.01,,,0.05,-0.01,0.08,20");
  });
});
