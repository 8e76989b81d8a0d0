import { type GroupSurroundings, guarded, runMembers } from "../group/group-command.js";
import { runSearch, type SuggestSettings } from "./search.js";
import { parseSweepArguments } from "./sweep-arguments.js";
import { hasFailed, sweepDocument, sweepText } from "./sweep-output.js";

/** Exit code. */
const SOME_FAILED = 1;

export interface SweepSurroundings extends GroupSurroundings {
  readonly suggestSettings: SuggestSettings;
}

/**
 * The command `sweep`: an experiment for every combination of values, or a search.
 *
 * @param argv what follows the command's name.
 * @returns the exit code; 1 when one of the experiments failed, or all of a search.
 */
export function runSweep(
  argv: readonly string[],
  surroundings: SweepSurroundings,
): Promise<number> {
  return guarded(argv, surroundings, async (output) => {
    const { terminal } = surroundings;
    const request = parseSweepArguments(argv, { ...surroundings, columns: terminal.columns });
    if (request.kind === "help") {
      output.help(request.text);
      return undefined;
    }
    if (request.kind === "search") return runSearch(request, surroundings, output);
    const { axes, cells } = request;
    const outcomes = await runMembers(
      cells,
      request,
      surroundings,
      output,
      async (outcomes) => outcomes,
    );
    if (outcomes === undefined) return undefined;
    const sweep = { axes, cells, outcomes };
    if (output.isJson) output.document(sweepDocument(sweep));
    else terminal.stdout.write(sweepText(sweep));
    const numFailed = outcomes.filter(hasFailed).length;
    if (numFailed === 0) return undefined;
    output.progress.note(
      `${numFailed} of ${outcomes.length} experiments failed; the same command retries them`,
    );
    return SOME_FAILED;
  });
}
