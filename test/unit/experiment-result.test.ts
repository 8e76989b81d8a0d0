import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, it } from "node:test";
import { resultDocument } from "../../src/cli/results/result-document.js";
import { robustnessDocument } from "../../src/cli/results/robustness-output.js";
import { robustnessResult } from "../../src/cli/results/robustness-result.js";
import { Experiment, State } from "../../src/generated/stillhouse/v1/experiment.js";
import { ResultKind, ResultState } from "../../src/generated/stillhouse/v1/result.js";
import { experimentResult } from "../../src/results/experiment-result.js";
import { testedRows } from "../../src/results/rows.js";

interface Stored {
  readonly experiment: Experiment;
  /** What the commands printed with `--json` before results were part of the contract. */
  readonly document: unknown;
}

/** An experiment that distils, with shards and 31 learners, and one on robustness that failed in part. */
function storedOnes(): [Stored, Stored] {
  const path = new URL("../fixtures/finished-results.jsonl", import.meta.url);
  const lines = readFileSync(path, "utf8").trim().split("\n");
  const [distils, tries] = lines.map((line): Stored => {
    const { experiment, document } = JSON.parse(line);
    return { experiment: Experiment.fromJSON(experiment), document };
  });
  assert.ok(distils && tries);
  return [distils, tries];
}

/** As a client gets it: through JSON, whose numbers are exact. */
function answered(experiment: Experiment): Experiment {
  const result = experimentResult(experiment.spec, experiment.tasks);
  return Experiment.decode(Experiment.encode({ ...experiment, result }).finish());
}

/** What is measured only since those documents were written; null where it was not. */
const NEWER = ["stored_bytes", "joules", "cpu_time_s"];

/** Everything in a document but words: numbers, and null where there is none. */
function figuresOf(value: unknown, path = ""): [path: string, figure: unknown][] {
  if (typeof value === "object" && value !== null) {
    return Object.entries(value)
      .filter(([name]) => !NEWER.includes(name))
      .flatMap(([name, part]) => figuresOf(part, `${path}/${name}`));
  }
  return typeof value === "string" ? [] : [[path, value]];
}

describe("the result of an experiment", () => {
  const [distils, tries] = storedOnes();

  it("keeps every figure of earlier documents", () => {
    const written = resultDocument(answered(distils.experiment), "/home/artifacts/d1-distill");
    const before = figuresOf(distils.document);
    assert.ok(before.length > 100, `${before.length} figures are compared`);
    assert.deepEqual(figuresOf(JSON.parse(JSON.stringify(written))), before);
  });

  it("keeps them where one condition failed, with differences and relative scores", () => {
    const experiment = answered(tries.experiment);
    const written = robustnessDocument(experiment, robustnessResult(experiment));
    const before = figuresOf(tries.document);
    assert.ok(before.some(([path]) => path.includes("label_robust_score")));
    assert.deepEqual(figuresOf(JSON.parse(JSON.stringify(written))), before);
  });

  it("is the same after JSON, as REST and the page have it", () => {
    const { result } = answered(distils.experiment);
    const json = JSON.parse(JSON.stringify(Experiment.toJSON(answered(distils.experiment))));
    assert.deepEqual(Experiment.fromJSON(json).result, result);
  });

  it("has baselines first, and names the tasks and the state of each row", () => {
    const { result } = answered(tries.experiment);
    const rows = result?.rows ?? [];
    assert.deepEqual(
      rows.slice(0, 7).map(({ id, kind }) => [id, kind]),
      [
        ["full", ResultKind.BASELINE],
        ["random", ResultKind.BASELINE],
        ["herding", ResultKind.BASELINE],
        ["kcenter", ResultKind.BASELINE],
        ["untrained", ResultKind.BASELINE],
        ["distilled", ResultKind.DISTILLED],
        ["hard-labels", ResultKind.VARIATION],
      ],
    );
    const broken = rows.find(({ id }) => id === "one-by-one");
    assert.deepEqual(
      [broken?.state, broken?.failure, broken?.taskIds, broken?.accuracy],
      [ResultState.FAILED, "it broke", ["r1-evaluate-one-by-one"], undefined],
    );
  });

  it("lists from the beginning all rows, and their numbers of learners", () => {
    const { spec, tasks } = distils.experiment;
    const begun = tasks.map((task) => {
      const isDone = task.id === "d1-evaluate-1";
      return isDone ? task : { ...task, state: State.QUEUED, result: undefined };
    });
    const result = experimentResult(spec, begun);
    assert.deepEqual(
      result.rows.map(({ id, state, numLearners }) => [id, state, numLearners]),
      [
        ["full", ResultState.PENDING, 1],
        ["random", ResultState.PENDING, 5],
        ["herding", ResultState.PENDING, 5],
        ["kcenter", ResultState.PENDING, 5],
        ["untrained", ResultState.PENDING, 5],
        ["distilled", ResultState.PARTIAL, 31],
      ],
    );
    assert.deepEqual(
      testedRows(result).map(({ id, accuracy }) => [id, accuracy.n]),
      [["distilled", 10]],
    );
    assert.equal(result.ratioToFull, undefined);
  });
});
