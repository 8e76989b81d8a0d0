import type { StillhouseClient } from "../../src/api/client.js";
import { parseExperimentArguments } from "../../src/cli/experiment/experiment-arguments.js";
import type { ExperimentSpec } from "../../src/generated/stillhouse/v1/spec.js";
import { tinyDataAndModel, tinyFlags } from "../fixtures/tiny.js";

/** Two tasks: a distillation and its evaluation. */
const FLAGS = ["--inits", "2", "--baselines", "none"];

/** The resolved spec of a tiny experiment; a different seed makes it a different experiment. */
export async function tinySpec(
  client: StillhouseClient,
  outerSteps: number,
): Promise<ExperimentSpec> {
  const steps = ["--outer-steps", String(outerSteps)];
  const flags = [...tinyFlags(tinyDataAndModel()), ...FLAGS, ...steps];
  const surroundings = { userFolder: process.cwd(), dataDir: undefined, columns: 80 };
  const request = parseExperimentArguments(flags, surroundings);
  if (request.kind !== "new") throw new Error("the flags of the tiny experiment ask for none");
  const { spec } = await client.resolve(request.draft);
  if (!spec) throw new Error("the tiny experiment was not resolved");
  return spec;
}
