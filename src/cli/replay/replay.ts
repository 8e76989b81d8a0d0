import { type GroupSurroundings, guarded, runMembers } from "../group/group-command.js";
import { requireSuccess } from "../group/group-run.js";
import { parseReplayArguments } from "./replay-arguments.js";

/**
 * The command `replay`: learners that meet one task after the other, and what they forget.
 *
 * @param argv what follows the command's name.
 * @returns the exit code.
 */
export function runReplay(
  argv: readonly string[],
  surroundings: GroupSurroundings,
): Promise<number> {
  return guarded(argv, surroundings, async (output) => {
    const { terminal } = surroundings;
    const request = parseReplayArguments(argv, { ...surroundings, columns: terminal.columns });
    if (request.kind === "help") {
      output.help(request.text);
      return undefined;
    }
    const { draft, tasks } = request;
    const members = [{ label: tasks, draft }];
    const outcomes = await runMembers(members, request, surroundings, output, async (all) => all);
    if (outcomes === undefined) return undefined;
    requireSuccess(outcomes);
    for (const { experiment } of outcomes) output.result(experiment, "");
    return undefined;
  });
}
