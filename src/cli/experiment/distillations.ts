import { type GroupSurroundings, runMembers } from "../group/group-command.js";
import { requireSuccess } from "../group/group-run.js";
import type { ExperimentOutput } from "../run/experiment-output.js";
import { distillationsDocument, distillationsText, hasSucceeded } from "./distillations-output.js";
import type { NewExperiment } from "./experiment-arguments.js";

/** Exit code. */
const SOME_FAILED = 1;

/**
 * Several distillations of the same settings, each with a seed of its own, as one group of
 * experiments.
 *
 * @returns the exit code; 1 when one of them failed, though the others are shown.
 * @throws StillhouseError where none succeeded; CANCELLED when stopped
 */
export async function runDistillations(
  request: NewExperiment,
  surroundings: GroupSurroundings,
  output: ExperimentOutput,
): Promise<number> {
  const { draft, seeds } = request;
  const members = seeds.map((seed) => ({
    label: `seed ${seed}`,
    draft: { ...draft, seed },
  }));
  const flags = {
    ...request,
    sweepName: draft.name || `--distillations ${seeds.length}`,
    isShownAsOne: true,
  };
  output.progress.note(`${seeds.length} distillations, seeds ${seeds[0]} to ${seeds.at(-1)}`);
  const outcomes = await runMembers(
    members,
    flags,
    surroundings,
    output,
    async (outcomes) => outcomes,
  );
  if (outcomes === undefined) return 0;
  if (!outcomes.some(hasSucceeded)) requireSuccess(outcomes);
  const { stdout, columns } = surroundings.terminal;
  if (output.isJson) output.document(distillationsDocument(outcomes));
  else stdout.write(`\n${distillationsText(outcomes, columns)}`);
  const numMissing = outcomes.filter((outcome) => !hasSucceeded(outcome)).length;
  if (numMissing === 0) return 0;
  output.progress.note(
    `${numMissing} of ${outcomes.length} distillations have no result; the same command retries them`,
  );
  return SOME_FAILED;
}
