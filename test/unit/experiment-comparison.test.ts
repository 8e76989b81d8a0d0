import assert from "node:assert/strict";
import { it } from "node:test";
import { compareExperiments } from "../../src/experiment/domain/comparison.js";
import { Experiment, Task } from "../../src/generated/stillhouse/v1/experiment.js";
import type { ExperimentSpec } from "../../src/generated/stillhouse/v1/spec.js";
import { experimentResult } from "../../src/results/experiment-result.js";
import { resolvedSpec } from "../fixtures/experiments.js";

function experimentOf(
  id: string,
  change: (spec: ExperimentSpec) => void,
  accuracies: Readonly<Record<number, number>>,
): Experiment {
  const spec = resolvedSpec();
  change(spec);
  const inits = Object.entries(accuracies).map(([seed, accuracy]) => ({
    initSeed: Number(seed),
    accuracy,
  }));
  const work = { kind: { $case: "evaluate" as const, value: { initSeeds: [] } } };
  const learners = { kind: { $case: "learners" as const, value: { inits } } };
  const tasks = inits.length === 0 ? [] : [Task.fromPartial({ work, result: learners })];
  return Experiment.fromPartial({ id, spec, result: experimentResult(spec, tasks) });
}

it("a comparison names the settings that differ and the gain on the same init seeds", () => {
  const reference = experimentOf("a", () => {}, { 1: 0.5, 2: 0.75, 3: 0.25 });
  const changed = experimentOf(
    "b",
    (spec) => {
      spec.name = "another name";
      spec.inner = { ...spec.inner, steps: 3 } as typeof spec.inner;
      spec.baseline = { ...spec.baseline, full: false } as typeof spec.baseline;
      spec.model = { ...spec.model, fingerprint: "f00d" } as typeof spec.model;
    },
    { 1: 0.625, 2: 1, 3: 0.4375, 9: 0 },
  );
  const unfinished = experimentOf("c", () => {}, {});
  const { differences, experiments } = compareExperiments([reference, changed, unfinished]);
  const steps = String(resolvedSpec().inner?.steps);
  const fingerprint = resolvedSpec().model?.fingerprint ?? "";
  assert.deepEqual(differences, [
    { field: "inner.steps", values: [steps, "3", steps] },
    { field: "baseline.full", values: ["on", "off", "on"] },
    { field: "model.fingerprint", values: [fingerprint, "f00d", fingerprint] },
  ]);
  const [first, second, third] = experiments;
  assert.equal(first?.accuracyMean, 0.5);
  assert.ok(Math.abs((first?.accuracyStd ?? 0) - Math.sqrt(0.125 / 3)) < 1e-15);
  assert.equal(first?.gain, undefined);
  assert.equal(first?.sharedInits, 0);
  assert.equal(second?.gain, 0.1875);
  assert.equal(second?.sharedInits, 3);
  const half = (4.302653 * 0.0625) / Math.sqrt(3);
  assert.equal(second?.gainInterval?.low.toFixed(5), (0.1875 - half).toFixed(5));
  assert.equal(second?.gainInterval?.high.toFixed(5), (0.1875 + half).toFixed(5));
  assert.deepEqual(third, {
    experimentId: "c",
    accuracyMean: undefined,
    accuracyStd: undefined,
    accuracyInterval: undefined,
    gain: undefined,
    gainInterval: undefined,
    sharedInits: 0,
  });
});
