import assert from "node:assert/strict";
import { describe, it, test } from "node:test";
import { settingsDocument } from "../../../src/api/http/settings-document.js";
import { experimentView } from "../../../src/dashboard/model/experiment-view.js";
import type { SettingsDocument } from "../../../src/dashboard/model/settings-view.js";
import {
  axesOf,
  cellNote,
  matrixOf,
  unfinishedText,
  usualColumn,
} from "../../../src/dashboard/model/sweep-matrix.js";
import { Experiment as PageExperiment } from "../../../src/generated/page/stillhouse/v1/experiment.js";
import { Experiment } from "../../../src/generated/stillhouse/v1/experiment.js";
import { ResultRow } from "../../../src/generated/stillhouse/v1/result.js";
import { ExperimentSpec, Labels } from "../../../src/generated/stillhouse/v1/spec.js";
import { type Row, testedRow } from "../../../src/results/rows.js";
import { summaryMessage } from "../../../src/results/score-message.js";
import { summarise } from "../../../src/statistics.js";
import { resolvedSpec } from "../../fixtures/experiments.js";

const { settings: SETTINGS }: SettingsDocument = JSON.parse(JSON.stringify(settingsDocument()));

describe("a cell of a sweep", () => {
  it("counts only experiments that will still end as to come", () => {
    const accuracy = summarise([0.5]);
    const states = ["succeeded", "running", "queued", "failed", "cancelled", "cancelled"] as const;
    const views = states.map((state) => ({
      state,
      accuracy: state === "succeeded" ? accuracy : undefined,
    }));
    assert.deepEqual(unfinishedText(views), ["2 to come", "1 failed", "2 cancelled"]);
    assert.deepEqual(unfinishedText([{ state: "succeeded", accuracy }]), []);
  });
});

describe("the matrix of a sweep", () => {
  const views = [Labels.UNRESTRICTED, Labels.HARD].flatMap((labels) =>
    [1, 3].flatMap((steps) =>
      [0, 1].map((seed) => {
        const spec = resolvedSpec((draft) => {
          draft.distilled = { ...draft.distilled, labels } as typeof draft.distilled;
          draft.inner = { ...draft.inner, steps } as typeof draft.inner;
          draft.seed = seed;
          draft.name = `${labels} ${steps} ${seed}`;
        });
        const id = `${labels}-${steps}-${seed}`;
        const view = experimentView(
          PageExperiment.fromJSON(
            Experiment.toJSON(
              Experiment.fromPartial({ id, spec: ExperimentSpec.fromPartial(spec) }),
            ),
          ),
        );
        const mean = labels === Labels.HARD ? 0.5 : 0.8 + seed / 10;
        const accuracies = [mean - 0.01, mean + 0.01];
        const row = testedRow({
          ...ResultRow.fromPartial({ id: "distilled", initSeeds: [0, 1], accuracies }),
          accuracy: summaryMessage(summarise(accuracies)),
        });
        return { ...view, accuracy: row?.accuracy, results: [row as Row] };
      }),
    ),
  );
  const axes = axesOf(views, SETTINGS);

  test("has the settings that differ as axes, the seed last and no name", () => {
    const flags = axes.map(({ setting }) => setting.flag);
    assert.deepEqual(flags.slice(0, 2), ["sl", "steps"]);
    assert.equal(flags.at(-1), "seed");
    assert.ok(!flags.includes("name"));
    assert.deepEqual(axes[0]?.values, ["none", "unrestricted"]);
  });

  test("averages over settings that are on neither axis", () => {
    const [sl, steps] = axes;
    assert.ok(sl && steps);
    const { rows, columns, cells, range } = matrixOf(views, sl, steps, axes);
    assert.deepEqual(
      [rows, columns],
      [
        ["none", "unrestricted"],
        ["1", "3"],
      ],
    );
    assert.deepEqual(
      cells.map((row) => row.map(({ accuracy, views }) => [accuracy?.toFixed(2), views.length])),
      [
        [
          ["0.50", 2],
          ["0.50", 2],
        ],
        [
          ["0.85", 2],
          ["0.85", 2],
        ],
      ],
    );
    assert.deepEqual(
      range?.map((value) => value.toFixed(2)),
      ["0.50", "0.85"],
    );
  });

  test("puts the seeds of a setting into one cell, with both of its spreads", () => {
    const [sl, steps] = axes;
    assert.ok(sl && steps);
    const { cells, note } = matrixOf(views, sl, steps, axes);
    assert.equal(usualColumn(axes, sl), steps);
    assert.deepEqual(cells.flatMap((row) => row.map(cellNote)).slice(1, 3), [
      "± 0.0 between 2 distillations, ± 1.0 between learners",
      "± 5.0 between 2 distillations, ± 5.1 between learners",
    ]);
    assert.match(note, /between distillations tells nothing\.$/);
  });

  test("has no seeds as columns by default, and no spread where a cell holds several settings", () => {
    const own = axesOf(
      views.filter(({ id }) => id.includes("-1-")),
      SETTINGS,
    );
    assert.deepEqual(
      own.map(({ setting }) => setting.flag),
      ["sl", "seed"],
    );
    assert.equal(usualColumn(own, own[0]), undefined);
    const [sl] = axes;
    assert.ok(sl);
    const mixed = matrixOf(views, sl, undefined, axes).cells.flat();
    assert.deepEqual(mixed.map(cellNote), ["mean of 4", "mean of 4"]);
    assert.deepEqual(
      mixed.map(({ spread }) => spread),
      [undefined, undefined],
    );
  });

  test("shows no cell as higher where all lie within the spread between distillations", () => {
    const steps = axes.find(({ setting }) => setting.flag === "steps");
    assert.ok(steps);
    const alike = views.filter(({ id }) => id.startsWith(`${Labels.UNRESTRICTED}-`));
    assert.equal(matrixOf(alike, steps, undefined, axes).isWithinSpread, true);
    const [sl] = axes;
    assert.ok(sl);
    const apart = views.filter(({ id }) => id.includes("-1-"));
    assert.equal(matrixOf(apart, sl, undefined, axesOf(apart, SETTINGS)).isWithinSpread, false);
  });

  test("says that each setting was distilled once where each was", () => {
    const once = views.filter(({ seed }) => seed === 0);
    const own = axesOf(once, SETTINGS);
    const [sl, steps] = own;
    assert.ok(sl && steps);
    const { cells, note } = matrixOf(once, sl, steps, own);
    assert.match(note, /^One distillation each/);
    assert.deepEqual(cells.flat().map(cellNote), ["± 1.0", "± 1.0", "± 1.0", "± 1.0"]);
  });
});
