import { fromFailure } from "../../errors.js";
import { State } from "../../generated/stillhouse/v1/experiment.js";
import { formatMeanStd, formatPercent } from "../../text/format.js";
import { type GroupSurroundings, guarded, runMembers } from "../group/group-command.js";
import { resultOf } from "../results/result.js";
import { failureDocument, resultDocument } from "../results/result-document.js";
import type { Outcome } from "../run/experiment-runner.js";
import { Table } from "../terminal/table.js";
import { runSearch, type SuggestSettings } from "./search.js";
import { type Cell, parseSweepArguments } from "./sweep-arguments.js";

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
    if (output.isJson) output.document(sweepDocument(axes, cells, outcomes));
    else terminal.stdout.write(`\n${sweepTable(axes, cells, outcomes)}\n`);
    const numFailed = outcomes.filter(hasFailed).length;
    if (numFailed === 0) return undefined;
    output.progress.note(
      `${numFailed} of ${outcomes.length} experiments failed; the same command retries them`,
    );
    return SOME_FAILED;
  });
}

function sweepTable(
  axes: readonly string[],
  cells: readonly Cell[],
  outcomes: readonly Outcome[],
): string {
  const table = new Table({
    head: [...axes, "accuracy (%)", "n", "validation (%)", "experiment"],
    style: { head: [], border: [] },
  });
  cells.forEach(({ settings }, at) => {
    const { experiment } = outcomes[at] as Outcome;
    const { rows, distillation } = resultOf(experiment);
    const accuracy = rows.find(({ id }) => id === "distilled")?.accuracy;
    const validation = distillation?.validationAccuracy;
    table.push([
      ...axes.map((axis) => settings.get(axis) ?? ""),
      accuracy === undefined
        ? stateWord(experiment.state)
        : formatMeanStd(accuracy.mean, accuracy.std),
      accuracy?.n ?? "",
      validation === undefined ? "" : formatPercent(validation),
      experiment.id,
    ]);
  });
  return table.toString();
}

function sweepDocument(
  axes: readonly string[],
  cells: readonly Cell[],
  outcomes: readonly Outcome[],
): object {
  return {
    sweep_id: outcomes[0]?.experiment.sweepId ?? null,
    axes,
    experiments: cells.map(({ settings }, at) => {
      const { experiment, artifactPath } = outcomes[at] as Outcome;
      const document =
        experiment.failure === undefined
          ? resultDocument(experiment, artifactPath)
          : failureDocument(fromFailure(experiment.failure), experiment.id);
      return { settings: Object.fromEntries(settings), ...document };
    }),
  };
}

function hasFailed({ experiment }: Outcome): boolean {
  return experiment.state === State.FAILED;
}

function stateWord(state: State): string {
  return state === State.FAILED ? "failed" : "";
}
