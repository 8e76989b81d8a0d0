import { State } from "../../generated/stillhouse/v1/experiment.js";
import { rowOverSeeds, type SeedRow } from "../../results/distillations.js";
import { overlapWarning } from "../../results/overlap-warning.js";
import { INTERVAL_RULE_OF_DISTILLATIONS, summarise } from "../../statistics.js";
import { formatMeanStd } from "../../text/format.js";
import { resultOf } from "../results/result.js";
import { memberDocument, overSeedsDocument, resultDocument } from "../results/result-document.js";
import {
  keptStepText,
  ROWS_LEGEND,
  renderTable,
  type TableRow,
  timesText,
} from "../results/result-table.js";
import { subjectOf } from "../results/subject.js";
import type { Outcome } from "../run/experiment-runner.js";
import { wrapText } from "../terminal/wrap-text.js";

const LEGEND =
  "accuracy: mean ± population std over test learners; between seeds: ± population std of the " +
  `means of the seeds, with their 95 % interval (${INTERVAL_RULE_OF_DISTILLATIONS})`;

/**
 * Several distillations of the same settings as a person reads them: each, and their mean.
 *
 * @param outcomes one per seed, at least one of which has succeeded
 * @param columns width of the terminal; undefined where it does not matter.
 */
export function distillationsText(
  outcomes: readonly Outcome[],
  columns: number | undefined,
): string {
  const experiments = outcomes.map(({ experiment }) => experiment);
  const [first] = experiments;
  const rows = rowIds(outcomes).flatMap((id) => linesOf(seedRows(outcomes, id)));
  const ratios = outcomes.flatMap(({ experiment }) => resultOf(experiment).ratioToFull ?? []);
  const ratio = ratios.length === 0 ? undefined : summarise(ratios);
  const warning = overlapWarning(first?.spec?.dataset?.found?.testRowsInTrain);
  const lines = [
    LEGEND,
    ...ROWS_LEGEND,
    ...(ratio === undefined
      ? []
      : [`Ratio to full data: ${formatMeanStd(ratio.mean, ratio.std)} %, ± between seeds`]),
    ...outcomes.map(seedText),
    timesText(experiments),
    ...(warning === undefined ? [] : [warning]),
  ];
  return [
    subjectOf(first?.spec),
    ...(rows.length === 0 ? [] : [renderTable(rows, columns)]),
    ...lines.map((line) => wrapText(line, columns ?? Number.POSITIVE_INFINITY, 2)),
    "",
  ].join("\n");
}

/** Of all that succeeded, in their order. */
function rowIds(outcomes: readonly Outcome[]): string[] {
  const ids = outcomes.flatMap(({ experiment }) => resultOf(experiment).rows.map(({ id }) => id));
  return [...new Set(ids)];
}

function seedRows(outcomes: readonly Outcome[], id: string): SeedRow[] {
  return outcomes.filter(hasSucceeded).flatMap(({ experiment }) =>
    resultOf(experiment)
      .rows.filter((row) => row.id === id)
      .map((row) => ({ seed: experiment.spec?.seed ?? 0, row })),
  );
}

/** A baseline has a line for all its seeds. Distilled data has one for each, and their mean. */
function linesOf(seeds: readonly SeedRow[]): TableRow[] {
  const [first, ...others] = seeds;
  if (first === undefined) return [];
  const mean = rowOverSeeds([first, ...others]);
  if (first.row.kind === "baseline") return [mean];
  return [
    ...seeds.map(({ seed, row }) => ({ ...row, label: `${row.label}, seed ${seed}` })),
    ...(others.length === 0 ? [] : [{ ...mean, label: `Mean of ${seeds.length} distillations` }]),
  ];
}

function seedText({ experiment, artifactPath }: Outcome): string {
  const { id, spec, state, failure } = experiment;
  const name = `Seed ${spec?.seed ?? 0} (${id})`;
  if (failure !== undefined) return `${name} has failed: ${failure.message}`;
  if (state !== State.SUCCEEDED) return `${name} was stopped`;
  const { distillation } = resultOf(experiment);
  const parts = [
    ...(distillation === undefined ? [] : [keptStepText(distillation)]),
    ...(artifactPath === "" ? [] : [`Distilled data: ${artifactPath}`]),
  ];
  return [name, ...parts].join(". ");
}

export function hasSucceeded({ experiment }: Pick<Outcome, "experiment">): boolean {
  return experiment.state === State.SUCCEEDED;
}

/**
 * As one JSON document: the fields of one experiment are those of the first that has succeeded,
 * and the others and the means follow.
 */
export function distillationsDocument(outcomes: readonly Outcome[]): object {
  const first = outcomes.find(hasSucceeded);
  return {
    ...(first === undefined ? {} : resultDocument(first.experiment, first.artifactPath)),
    sweep_id: outcomes[0]?.experiment.sweepId ?? null,
    over_seeds: rowIds(outcomes).flatMap((id) => {
      const [first, ...others] = seedRows(outcomes, id);
      return first === undefined ? [] : [overSeedsDocument([first, ...others])];
    }),
    distillations: outcomes.map(({ experiment, artifactPath }) => ({
      seed: experiment.spec?.seed ?? 0,
      ...memberDocument(experiment, artifactPath),
    })),
  };
}
