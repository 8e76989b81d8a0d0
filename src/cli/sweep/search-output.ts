import { fromFailure } from "../../errors.js";
import { comparisonNote } from "../../results/distillations.js";
import { formatPercent } from "../../text/format.js";
import { failureDocument, resultDocument } from "../results/result-document.js";
import { renderResult } from "../results/result-table.js";
import type { Outcome } from "../run/experiment-runner.js";
import { Table } from "../terminal/table.js";
import type { SearchRequest } from "./search-arguments.js";
import type { SearchAxis } from "./search-space.js";
import { bestOf, settingsText, type Trial } from "./trial.js";

/** What a search will do. */
export function searchPlanText({ axes, numTrials }: SearchRequest): string {
  return `${numTrials} trials over\n${axes.map((axis) => `  --${axis.flag} ${axisText(axis)}\n`).join("")}`;
}

/**
 * The trials, the one of them that was tested, and how it did on the test split.
 *
 * @param tested the experiment with the best settings; undefined where no trial succeeded.
 */
export function searchText(
  request: SearchRequest,
  trials: readonly Trial[],
  tested: Outcome | undefined,
  columns: number | undefined,
): string {
  const best = bestOf(trials);
  const table = new Table({
    head: ["trial", ...request.axes.map(({ flag }) => flag), "validation (%)", "experiment"],
    style: { head: [], border: [] },
  });
  trials.forEach((trial, at) => {
    const { settings, accuracy, outcome } = trial;
    table.push([
      `${at + 1}${trial === best ? " *" : ""}`,
      ...request.axes.map(({ flag }) => settings.get(flag) ?? ""),
      accuracy === undefined ? "failed" : formatPercent(accuracy),
      outcome.experiment.id,
    ]);
  });
  if (best === undefined || tested === undefined) {
    return `\n${table.toString()}\nNo trial succeeded: ${trials.at(-1)?.outcome.experiment.failure?.message}\n`;
  }
  return [
    "",
    table.toString(),
    `Tested: trial ${trials.indexOf(best) + 1}, the first with the highest validation accuracy, ${settingsText(best.settings)}`,
    comparisonNote([1]),
    "",
    renderResult(tested.experiment, tested.artifactPath, columns),
    `To repeat it: ${request.commandOf(best.settings)}`,
    "",
  ].join("\n");
}

/** The search as one JSON document. */
export function searchDocument(
  request: SearchRequest,
  trials: readonly Trial[],
  tested: Outcome | undefined,
): object {
  const best = bestOf(trials);
  return {
    space: Object.fromEntries(request.axes.map((axis) => [axis.flag, axisText(axis)])),
    num_trials: request.numTrials,
    seed: request.seed,
    trials: trials.map(({ settings, accuracy, outcome: { experiment } }) => ({
      settings: Object.fromEntries(settings),
      validation_accuracy: accuracy ?? null,
      experiment_id: experiment.id,
      ...(experiment.failure === undefined ? {} : failureDocument(fromFailure(experiment.failure))),
    })),
    best:
      best === undefined || tested === undefined
        ? null
        : {
            trial: trials.indexOf(best),
            settings: Object.fromEntries(best.settings),
            validation_accuracy: best.accuracy,
            command: request.commandOf(best.settings),
            experiment: resultDocument(tested.experiment, tested.artifactPath),
          },
  };
}

/** As a person writes it. */
function axisText(axis: SearchAxis): string {
  if (axis.kind === "choices") return axis.values.join(",");
  return `${axis.low}..${axis.high}${axis.isLog ? ":log" : ""}`;
}
