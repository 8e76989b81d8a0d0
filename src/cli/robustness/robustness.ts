import { existsSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { invalid } from "../../errors.js";
import { type Experiment, State } from "../../generated/stillhouse/v1/experiment.js";
import type { NamedServer } from "../connect/server-flags.js";
import { type GroupSurroundings, guarded, runMembers } from "../group/group-command.js";
import { requireSuccess } from "../group/group-run.js";
import { robustnessResult } from "../results/robustness-result.js";
import type { ExperimentOutput } from "../run/experiment-output.js";
import { parseRobustnessArguments, type RobustnessRun } from "./robustness-arguments.js";

export interface RobustnessSurroundings extends GroupSurroundings {
  /** Folder of experiments and artifacts. */
  readonly home: string;
  /** Imports an artifact into the home; returns its id there. */
  readonly importArtifact: (folder: string) => Promise<string>;
}

/** Exit code. */
const SOME_FAILED = 1;

/**
 * The command `robustness`: distilled data under conditions that it was not distilled for.
 *
 * @param argv what follows the command's name.
 * @returns the exit code; 1 when one of the evaluations failed.
 */
export function runRobustness(
  argv: readonly string[],
  surroundings: RobustnessSurroundings,
): Promise<number> {
  return guarded(argv, surroundings, async (output) => {
    const { terminal } = surroundings;
    const request = parseRobustnessArguments(argv, { ...surroundings, columns: terminal.columns });
    if (request.kind === "help") {
      output.help(request.text);
      return undefined;
    }
    const experiment = await measuredRobustness(request, surroundings, output);
    if (experiment === undefined) return undefined;
    output.robustness(experiment);
    if (experiment.state === State.SUCCEEDED) return undefined;
    output.progress.note(`${experiment.failure?.message}; the same command retries it`);
    return SOME_FAILED;
  });
}

/**
 * The experiment that measures what is asked for, once it has ended.
 *
 * @returns undefined for a dry run, and where the experiment is left to a server.
 * @throws StillhouseError where not even the plain evaluation has a result.
 */
export async function measuredRobustness(
  request: RobustnessRun,
  surroundings: RobustnessSurroundings,
  output: ExperimentOutput,
): Promise<Experiment | undefined> {
  const { subject, server } = request;
  const artifactId = await artifactIdOf(subject, server, surroundings);
  const members = [{ label: `robustness of ${artifactId}`, draft: request.draftFor(artifactId) }];
  const outcomes = await runMembers(
    members,
    request,
    surroundings,
    output,
    async (outcomes) => outcomes,
  );
  const experiment = outcomes?.[0]?.experiment;
  if (outcomes === undefined || experiment === undefined) return undefined;
  // Without the plain evaluation there is nothing to compare with.
  if (robustnessResult(experiment).conditions[0]?.row === undefined) requireSuccess(outcomes);
  return experiment;
}

/** A folder outside of the home is taken in; any other word is an id. */
async function artifactIdOf(
  word: string,
  server: NamedServer | undefined,
  { home, userFolder, importArtifact }: RobustnessSurroundings,
): Promise<string> {
  const folder = resolve(userFolder, word);
  const isId = /^[\w-]+$/.test(word) && !existsSync(join(folder, "manifest.json"));
  if (isId) return word;
  if (server !== undefined) {
    throw invalid("artifact", `with --server the artifact must be named by its id, got ${word}`);
  }
  return dirname(folder) === join(home, "artifacts") ? basename(folder) : importArtifact(folder);
}
