import { parseExperimentArguments } from "../../../src/cli/experiment/experiment-arguments.js";
import type { Event } from "../../../src/generated/stillhouse/v1/experiment.js";
import { PYTHON, tinyDataAndModel } from "../../fixtures/tiny.js";
import { MeasuredPlane } from "./measured-plane.js";

export interface CpuShare {
  /** Processor seconds of the control plane per second in which its worker trains. */
  readonly share: number;
  readonly trainingSeconds: number;
}

/** Distils with a real worker process, the model of the preset `cpu` and a small data set. */
export async function measureCpuShare(outerSteps: number): Promise<CpuShare> {
  const plane = await MeasuredPlane.start({ python: PYTHON, numWorkers: 1 });
  try {
    const { spec } = await plane.client.resolve(smallDraft(outerSteps));
    if (!spec) throw new Error("the draft was not resolved");
    const { id } = await plane.client.create(spec, "");
    let begin: { timeMs: number; cpuS: number } | undefined;
    for await (const event of plane.client.watch(id, 0n)) {
      if (!begin && isDistilling(event)) {
        begin = { timeMs: performance.now(), cpuS: (await plane.usage()).cpuS };
      }
      if (isTaskEnd(event)) break;
    }
    if (!begin) throw new Error("the experiment ended before it distilled");
    const seconds = (performance.now() - begin.timeMs) / 1000;
    const cpuS = (await plane.usage()).cpuS - begin.cpuS;
    return { share: cpuS / seconds, trainingSeconds: seconds };
  } finally {
    await plane.close();
  }
}

function smallDraft(outerSteps: number) {
  const { dataDir } = tinyDataAndModel();
  const data = ["--dataset", "colours", "--data-dir", dataDir, "--preset", "cpu"];
  const size = ["--outer-steps", String(outerSteps), "--validations", "1", "--inits", "1"];
  const flags = [...data, ...size, "--baselines", "none", "--device", "cpu"];
  const surroundings = { userFolder: process.cwd(), dataDir: undefined, columns: 80 };
  const request = parseExperimentArguments(flags, surroundings);
  if (request.kind !== "new") throw new Error("the flags of the experiment ask for none");
  return request.draft;
}

function isDistilling({ kind }: Event): boolean {
  return kind?.$case === "progress" && kind.value.stage === "distilling" && kind.value.done > 0n;
}

function isTaskEnd({ kind }: Event): boolean {
  return kind?.$case === "task" && kind.value.endTime !== undefined;
}
