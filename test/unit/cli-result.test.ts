import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { resultOf } from "../../src/cli/results/result.js";
import { failureDocument, resultDocument } from "../../src/cli/results/result-document.js";
import { renderResult } from "../../src/cli/results/result-table.js";
import { robustnessText } from "../../src/cli/results/robustness-output.js";
import { robustnessResult } from "../../src/cli/results/robustness-result.js";
import { FailureKind, StillhouseError } from "../../src/errors.js";
import {
  AttentionLabels,
  DatasetFound,
  type ExperimentSpec,
  Init,
  Labels,
} from "../../src/generated/stillhouse/v1/spec.js";
import { distilledLabel, variantOf } from "../../src/results/spec-labels.js";
import { emptySpec } from "../../src/settings/field-path.js";
import { resolveSpec } from "../../src/settings/resolve.js";
import { factsOf } from "../fixtures/facts.js";
import { finishedExperiment } from "../fixtures/finished-experiment.js";

function specWith(labels: Labels, attentionLabels: AttentionLabels, init = Init.RANDOM) {
  const draft: ExperimentSpec = emptySpec();
  draft.distilled = { ...emptySpec().distilled, labels, attentionLabels } as never;
  draft.model = { ...emptySpec().model, init } as never;
  return resolveSpec(draft, factsOf()).spec;
}

/** A data set with this many test rows that are in train too. */
function foundOf(testRowsInTrain: number): DatasetFound {
  return DatasetFound.fromPartial({ classNames: ["warm", "cold"], testRowsInTrain });
}

const SPEC = specWith(Labels.UNRESTRICTED, AttentionLabels.CLS);

describe("the result of an experiment", () => {
  it("has its rows in the order of the study, with mean and population deviation", () => {
    const { rows, ratioToFull } = resultOf(finishedExperiment(SPEC));
    assert.deepEqual(
      rows.map((row) => row.id),
      ["full", "random", "untrained", "distilled"],
    );
    const [full, random, , distilled] = rows;
    assert.deepEqual(full?.accuracy, { mean: 0.95, std: null, n: 1, interval95: null });
    assert.equal(distilled?.accuracy.n, 3);
    assert.ok(Math.abs((distilled?.accuracy.mean ?? 0) - 0.91) < 1e-12);
    // sqrt((0.01² + 0.01² + 0²) / 3): divided by n, not by n - 1
    assert.ok(Math.abs((distilled?.accuracy.std ?? 0) - 0.00816496580927726) < 1e-12);
    assert.ok(Math.abs((random?.accuracy.std ?? 0) - 0.05) < 1e-12);
    assert.ok(Math.abs((ratioToFull ?? 0) - 0.91 / 0.95) < 1e-12);
  });

  it("names label kinds as the study does", () => {
    const names = (labels: Labels, attention: AttentionLabels, init?: Init) => {
      const spec = specWith(labels, attention, init);
      return [variantOf(spec), distilledLabel(spec)];
    };
    assert.deepEqual(names(Labels.HARD, AttentionLabels.NONE), ["none", "Distilled data"]);
    assert.deepEqual(names(Labels.RESTRICTED, AttentionLabels.NONE), [
      "restricted",
      "Distilled data + SL restricted",
    ]);
    assert.deepEqual(names(Labels.UNRESTRICTED, AttentionLabels.CLS), [
      "unrestricted + cls",
      "Distilled data + SL unrestricted + AL cls",
    ]);
    assert.deepEqual(names(Labels.HARD, AttentionLabels.ALL, Init.FIXED), [
      "none + all",
      "Distilled data (fixed init) + AL all",
    ]);
  });
});

describe("test rows that are in train too", () => {
  const warned = { ...SPEC, dataset: { ...SPEC.dataset, found: foundOf(1_207) } } as ExperimentSpec;

  it("are reported below the result of an experiment and of a robustness experiment", () => {
    const lineOf = (text: string) => text.split("\n").find((line) => line.startsWith("WARNING"));
    const text = renderResult(finishedExperiment(warned), "", undefined);
    assert.match(lineOf(text) ?? "", /^WARNING: 1,207 test rows are also in train, the same texts/);
    const experiment = finishedExperiment(warned);
    const other = robustnessText(experiment, robustnessResult(experiment));
    assert.equal(lineOf(other), lineOf(text));
    assert.equal(lineOf(renderResult(finishedExperiment(SPEC), "", undefined)), undefined);
  });
});

describe("the table", () => {
  const text = renderResult(finishedExperiment(SPEC), "/home/artifacts/x1", undefined);

  it("has the study's columns and one line for each row", () => {
    const cells = text
      .split("\n")
      .filter((line) => line.startsWith("│"))
      .map((line) =>
        line
          .split("│")
          .slice(1, -1)
          .map((cell) => cell.trim()),
      );
    assert.deepEqual(cells, [
      ["data", "#train", "#GD", "accuracy (%)", "n", "train"],
      ["", "samples", "steps", "", "", ""],
      ["Full data", "120,000", "7,500", "95.0", "1", "0.5 s"],
      ["Random real samples", "4", "1", "55.0 ± 5.0", "2", "1 s"],
      ["Untrained learner", "0", "0", "25.0 ± 0.0", "2", "1 s"],
      ["Distilled data + SL unrestricted + AL cls", "4", "1", "91.0 ± 0.8", "3", "0.83 s"],
    ]);
  });

  it("names data set and model, and what they stand in for", () => {
    assert.match(text, /^Data set ag_news · model minilm \(instead of distilbert-base-uncased\)$/m);
  });

  it("is followed by ratio, kept step, times, folder and the three lines that use it", () => {
    assert.match(text, /^Ratio to full data: 95\.8 %$/m);
    assert.match(text, /^Kept outer step 1,400 of 1,500, validation accuracy 91\.2 %$/m);
    assert.match(
      text,
      /^Time: distillation 12 min 5 s, evaluation 2 min, baselines 50 s \(full data reused\)$/m,
    );
    assert.match(text, /^Distilled data: \/home\/artifacts\/x1$/m);
    assert.match(text, /from stillhouse import load_artifact\n/);
    assert.match(
      text,
      /learner = load_artifact\("\/home\/artifacts\/x1"\)\.train\(init_seed=1\)\n/,
    );
    assert.match(text, /learner\.predict\(\["some text"\]\)\n/);
  });

  it("has no escape sequences, and fits into a terminal of 80 columns", () => {
    const narrow = renderResult(finishedExperiment(SPEC), "/a", 80);
    const table = narrow.split("\n").filter((line) => /[│─]/.test(line));
    for (const line of table) assert.ok(line.length <= 80, line);
    assert.match(narrow, /Distilled data/);
    assert.ok(!`${text}${narrow}`.includes("\u001b"));
  });

  it("leaves out the ratio where there is no full-data baseline", () => {
    const without = renderResult(finishedExperiment(SPEC, true), "/a", undefined);
    assert.doesNotMatch(without, /Ratio|Full data/);
  });
});

describe("the JSON document", () => {
  const document = JSON.parse(JSON.stringify(resultDocument(finishedExperiment(SPEC), "/a")));

  it("begins with the agreed keys, in the agreed shape", () => {
    assert.deepEqual(Object.keys(document).slice(0, 5), [
      "experiment_id",
      "spec",
      "rows",
      "ratio_to_full",
      "artifact",
    ]);
    assert.equal(document.experiment_id, "x1");
    assert.equal(document.artifact, "/a");
    for (const row of document.rows) {
      assert.deepEqual(Object.keys(row).slice(0, 6), [
        "id",
        "variant",
        "label",
        "train_samples",
        "gd_steps",
        "accuracy",
      ]);
      assert.deepEqual(Object.keys(row.accuracy), ["mean", "std", "n", "interval_95"]);
    }
    assert.deepEqual(document.rows[0].accuracy, {
      mean: 0.95,
      std: null,
      n: 1,
      interval_95: null,
    });
    assert.equal(document.rows[1].chosen_lr, 0.05);
    assert.equal(document.rows[1].train_time_s, 1);
    // Over both learners: 50 + 50 rows of the first class, 50 + 40 of the second that were wrong.
    assert.deepEqual(document.rows[1].confusion, [
      [100, 0],
      [90, 10],
    ]);
  });

  it("has the spec with the proto's field names", () => {
    assert.equal(document.spec.distilled.attention_labels, "ATTENTION_LABELS_CLS");
    assert.equal(document.spec.dataset.data_dir, "/data");
    assert.equal(document.spec.outer.warmup_fraction, 0.1);
  });

  it("has what each task took, and null for processor time that is not known", () => {
    const timesOf = (wanted: string) => {
      const task = document.tasks.find(({ name }: { name: string }) => name === wanted);
      return [task.wall_time_s, task.cpu_time_s];
    };
    assert.deepEqual(timesOf("Distillation"), [725, 1300]);
    assert.deepEqual(timesOf("Full data"), [3700, null]);
  });

  it("has null for a missing ratio and a missing artifact", () => {
    const without = JSON.parse(JSON.stringify(resultDocument(finishedExperiment(SPEC, true), "")));
    assert.equal(without.ratio_to_full, null);
    assert.equal(without.artifact, null);
  });

  it("of a failure has the kind in lower case, and the experiment's id to resume it", () => {
    const error = new StillhouseError(FailureKind.NOT_FOUND, "no data set x", {
      field: "dataset.name",
    });
    assert.deepEqual(failureDocument(error, "x1"), {
      error: { kind: "not_found", message: "no data set x", field: "dataset.name" },
      experiment_id: "x1",
    });
    assert.deepEqual(Object.keys(failureDocument(error)), ["error"]);
  });
});
