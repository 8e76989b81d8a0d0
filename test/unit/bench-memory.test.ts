import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { FloatType, Preset } from "../../src/generated/stillhouse/v1/spec.js";
import { defaultMemoryMib } from "../../src/settings/memory.js";
import { presetSpec } from "../../src/settings/presets.js";
import { CUDA, factsOf } from "../fixtures/facts.js";
import { it } from "../fixtures/waiting.js";

const FILE = new URL("../../python_worker/bench/_gpu/expected_memory.json", import.meta.url);

interface Sizes {
  parameter_count: number;
  num_layers: number;
  num_heads: number;
  width: number;
}

interface Task {
  model: string;
  method: string;
  T: number;
  S: number;
  batch_size: number;
  expected_mib: number;
}

/** The preset `study` in fp16, as the benchmark of a GPU runs it, without the full-data baseline. */
function expectedMib(task: Task, model: Sizes | undefined): number {
  const facts = factsOf({ model: { ...model }, device: CUDA });
  const spec = presetSpec(Preset.STUDY, facts.device);
  assert.equal(spec.compute?.precision, FloatType.FP16);
  Object.assign(spec.distilled ?? {}, { seqLen: task.S });
  Object.assign(spec.inner ?? {}, { steps: task.T });
  Object.assign(spec.outer ?? {}, { batchSize: task.batch_size, metaGradient: task.method });
  Object.assign(spec.baseline ?? {}, { full: false });
  return defaultMemoryMib(spec, facts);
}

it("the benchmark of a GPU compares its peaks with what tasks are given", () => {
  const { models, tasks } = JSON.parse(readFileSync(FILE, "utf8")) as {
    models: Record<string, Sizes>;
    tasks: Task[];
  };
  const expected = tasks.map((task) => ({
    ...task,
    expected_mib: expectedMib(task, models[task.model]),
  }));
  assert.deepEqual(tasks, expected);
});
