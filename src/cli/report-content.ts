import type { Experiment } from "../generated/stillhouse/v1/experiment.js";
import type { MetricSeries } from "../generated/stillhouse/v1/service.js";
import { ExperimentSpec } from "../generated/stillhouse/v1/spec.js";
import type { Curve } from "../report/curve-chart.js";
import type { Spread } from "../report/distribution-chart.js";
import type { Inspected } from "../report/inspected.js";
import type { ReportedArtifact, ReportedTable, Reproduction } from "../report/reproduction-page.js";
import type { Outcome } from "./group-runner.js";
import { COLUMNS, cellsOf, LEGEND } from "./reproduce-output.js";
import { resultOf, shortLabel } from "./result.js";
import type { ReproducedRow, ReproducedTable } from "./study-table.js";
import { subjectOf } from "./subject.js";

/** What a page shows beside the results themselves. */
export interface ReportDetails {
  /** How it was asked for. */
  readonly command: string;
  /** See `Rerun.codeVersion`. */
  readonly codeVersion: string | undefined;
  /** Metrics of the distillation, by the id of the experiment. */
  readonly series: ReadonlyMap<string, readonly MetricSeries[]>;
  /** What the distilled data holds, or why that is not known, by the id of the experiment. */
  readonly inspected: ReadonlyMap<string, Inspected | string>;
}

/**
 * Everything that the page of a reproduction shows.
 *
 * It holds no time, no path and no id, so that the same results give the same bytes.
 */
export function reportContent(
  tables: readonly ReproducedTable[],
  outcomes: readonly Outcome[],
  details: ReportDetails,
): Reproduction {
  const experiments = outcomes.map(({ experiment }) => experiment);
  const byId = new Map(experiments.map((experiment) => [experiment.id, experiment]));
  return {
    subject: subjectOf(experiments[0]?.spec),
    tables: tables.map((table) => tableContent(table, byId, details)),
    legend: LEGEND,
    distilled: experiments.flatMap((experiment) => artifactContent(experiment, details)),
    rerun: {
      command: details.command,
      codeVersion: details.codeVersion,
      environments: environmentsOf(experiments),
      experiments: experiments.map((experiment) => ({
        label: experimentLabel(experiment),
        specHash: experiment.specHash,
        files: filesOf(experiment),
        spec: experiment.spec === undefined ? {} : ExperimentSpec.toJSON(experiment.spec),
      })),
    },
  };
}

function tableContent(
  { title, rows }: ReproducedTable,
  experiments: ReadonlyMap<string, Experiment>,
  { series }: ReportDetails,
): ReportedTable {
  const curves = (name: string): Curve[] =>
    rows.flatMap((row) =>
      row.seeds.flatMap(({ seed, experimentId }) => {
        const found = series.get(experimentId)?.find((candidate) => candidate.name === name);
        return found === undefined
          ? []
          : [{ label: rowLabel(row, experiments), seed, points: pointsOf(found) }];
      }),
    );
  return {
    title,
    numbers: { head: COLUMNS, rows: rows.map(cellsOf) },
    spreads: rows.map((row) => spreadOf(row, experiments)),
    validationAccuracy: curves("validation_accuracy"),
    outerLoss: curves("outer_loss"),
  };
}

function spreadOf(row: ReproducedRow, experiments: ReadonlyMap<string, Experiment>): Spread {
  return {
    label: rowLabel(row, experiments),
    learners: row.seeds.flatMap((seed) => [...seed.row.learners.values()]),
    mean: row.accuracy.mean,
    interval95: row.accuracy.interval95,
    study: row.figure,
  };
}

function pointsOf({ steps, values }: MetricSeries): Curve["points"] {
  return steps.map((step, at) => ({ step: Number(step), value: values[at] ?? Number.NaN }));
}

/** What tells a row from the others of its table, in few words. */
function rowLabel({ seeds }: ReproducedRow, experiments: ReadonlyMap<string, Experiment>): string {
  const [first] = seeds;
  if (first === undefined) throw new Error("a row has at least one seed");
  if (first.row.id === "full") return first.row.label;
  return shortLabel(experiments.get(first.experimentId)?.spec);
}

function experimentLabel({ spec, tasks }: Experiment): string {
  const isDistilled = tasks.some((task) => task.work?.kind?.$case === "distill");
  return `${isDistilled ? shortLabel(spec) : "Full data"}, seed ${spec?.seed}`;
}

function artifactContent(experiment: Experiment, { inspected }: ReportDetails): ReportedArtifact[] {
  const content = inspected.get(experiment.id);
  return content === undefined ? [] : [{ label: experimentLabel(experiment), content }];
}

function filesOf(experiment: Experiment): Map<string, string> {
  const files = resultOf(experiment).distillation?.artifact?.files ?? [];
  return new Map(files.map(({ name, sha256 }) => [name, sha256]));
}

/** Each once: where it was computed, and with what. */
function environmentsOf(experiments: readonly Experiment[]): Record<string, string>[] {
  const found = new Map<string, Record<string, string>>();
  for (const { result } of experiments.flatMap(({ tasks }) => tasks)) {
    const entries = Object.entries(result?.environment ?? {}).sort(([a], [b]) => (a < b ? -1 : 1));
    if (entries.length > 0) found.set(JSON.stringify(entries), Object.fromEntries(entries));
  }
  return [...found.values()];
}
