import { internal } from "../../errors.js";
import type { Experiment } from "../../generated/stillhouse/v1/experiment.js";
import type { MetricSeries } from "../../generated/stillhouse/v1/service.js";
import { ExperimentSpec, Init } from "../../generated/stillhouse/v1/spec.js";
import { OUTER_LOSS, VALIDATION_ACCURACY } from "../../metric-names.js";
import type { Curve } from "../../report/curve-chart.js";
import type { Spread } from "../../report/distribution-chart.js";
import type { Inspected } from "../../report/inspected.js";
import type { ReportedArtifact, ReportedTable, Reproduction } from "../../report/reproduction.js";
import type { SamplePoint } from "../../report/samples-chart.js";
import { shortLabel } from "../../results/spec-labels.js";
import { BASELINE_PATHS } from "../../settings/baseline-fields.js";
import { presetName } from "../../settings/preset-names.js";
import { INTERVAL_RULE } from "../../statistics.js";
import { STUDY_TABLES, VARIED_PATHS } from "../../study/tables.js";
import { formatDuration } from "../../text/format.js";
import { changesText, experimentCommand } from "../experiment/spec-command.js";
import { artifactOf } from "../results/result.js";
import { subjectOf } from "../results/subject.js";
import type { Outcome } from "../run/experiment-runner.js";
import { publishedLines } from "./published-run.js";
import { differencesOf, numbersOf } from "./reproduce-columns.js";
import { failureLines, figuresText, noteOf, timeText } from "./reproduce-output.js";
import { computingS, type ReproducedRow, type ReproducedTable } from "./study-table.js";

/** Settings that the tables themselves choose. */
const OF_THE_TABLES = [...VARIED_PATHS, ...BASELINE_PATHS, "seed"];

const LEGEND =
  "Accuracy: mean ± population std over test learners. Seeds ±: population std of the means of the " +
  "distillations. Difference: to the row of distilled data above, mean over learners with the same " +
  `seeds, with its 95 % interval (${INTERVAL_RULE}) and the ± between distillations. ` +
  "Loss: cross-entropy on the test split, in nats. Train: time " +
  "from the opened data to the trained learner.";

/** What a page shows beside the results themselves. */
export interface ReportDetails {
  /** The command line that asked for it. */
  readonly command: string;
  /** See `Rerun.codeVersion`. */
  readonly codeVersion: string | undefined;
  /** Metrics of the distillation, by the id of the experiment. */
  readonly series: ReadonlyMap<string, readonly MetricSeries[]>;
  /** What the distilled data holds, or why that is not known, by the id of the experiment. */
  readonly inspected: ReadonlyMap<string, Inspected | string>;
}

/**
 * Everything that the report of a reproduction shows.
 *
 * It contains no id and no path of the home, so that the same results give the same bytes, except
 * for times.
 */
export function reportContent(
  tables: readonly ReproducedTable[],
  outcomes: readonly Outcome[],
  details: ReportDetails,
): Reproduction {
  const experiments = outcomes.map(({ experiment }) => experiment);
  return {
    title: titleOf(tables),
    subject: [...new Set(experiments.map(({ spec }) => subjectOf(spec)))].join("; "),
    settings: settingsText(tables, experiments),
    tables: tables.map((table) => tableContent(table, details)),
    legend: `${LEGEND} Figures: ${figuresText(tables)}. ${noteOf(tables)}`,
    time: `All of it took ${formatDuration(computingS(experiments))} of computing.`,
    distilled: experiments.flatMap((experiment) => artifactContent(experiment, details)),
    rerun: {
      command: details.command,
      codeVersion: details.codeVersion,
      environments: environmentsOf(experiments),
      experiments: experiments.map((experiment) => ({
        label: experimentLabel(experiment),
        command: experimentCommand(specOf(experiment)),
        specHash: experiment.specHash,
        files: filesOf(experiment),
        spec: ExperimentSpec.toJSON(specOf(experiment)),
      })),
    },
  };
}

function titleOf(tables: readonly ReproducedTable[]): string {
  const ofStudy = new Set(STUDY_TABLES.map(({ id }) => id));
  if (tables.every(({ id }) => ofStudy.has(id))) return "Reproduction of the 2022 study";
  if (tables.some(({ published }) => published)) return "Reproduction of published works";
  return tables.map(({ title }) => title).join("; ");
}

/** The preset and the run's differences from it, read off a row that varies the least. */
function settingsText(
  tables: readonly ReproducedTable[],
  experiments: readonly Experiment[],
): string {
  if (tables.some(({ published }) => published !== undefined)) {
    const presets = new Set(experiments.map((experiment) => presetName(specOf(experiment).preset)));
    return `Presets: ${[...presets].join(", ")}.`;
  }
  const distilled = experiments.filter(isDistilled);
  const isRandom = ({ spec }: Experiment) => spec?.model?.init === Init.RANDOM;
  const told = distilled.find(isRandom) ?? distilled[0];
  const [spec, others] = told
    ? [specOf(told), []]
    : [specOf(experiments[0] as Experiment), ["evaluation.inits"]];
  const preset = presetName(spec.preset);
  const changes = changesText(spec, [...OF_THE_TABLES, ...others]);
  return changes === ""
    ? `Preset ${preset}, unchanged.`
    : `Preset ${preset}, but with ${changes}; in brackets what the preset has.`;
}

function tableContent(table: ReproducedTable, { series }: ReportDetails): ReportedTable {
  const { title, rows, published, computingS } = table;
  const curves = (wanted: string): Curve[] =>
    rows.flatMap(({ name, measured }) =>
      (measured?.seeds ?? []).flatMap(({ seed, experimentId }) => {
        const found = series.get(experimentId)?.find((candidate) => candidate.name === wanted);
        return found === undefined ? [] : [{ label: name, seed, points: pointsOf(found) }];
      }),
    );
  return {
    title,
    numbers: numbersOf(table, true),
    failures: failureLines(rows),
    published: publishedLines(table),
    overSamples: published?.isOverSamples ? rows.flatMap(samplePointOf) : [],
    differences: differencesOf(rows),
    time: timeText(computingS),
    spreads: rows.flatMap(spreadOf),
    validationAccuracy: curves(VALIDATION_ACCURACY),
    outerLoss: curves(OUTER_LOSS),
  };
}

function spreadOf({ name, measured, figure }: ReproducedRow): Spread[] {
  if (measured === undefined) return [];
  const learners = [...measured.row.learners.values()];
  const { mean, interval95 } = measured.row.accuracy;
  return [{ label: name, learners, mean, interval95, study: figure }];
}

function samplePointOf({ measured, figure, spec }: ReproducedRow): SamplePoint[] {
  if (measured === undefined || spec === undefined) return [];
  const { trainSamples, accuracy } = measured.row;
  const { mean, std } = accuracy;
  return [{ samples: trainSamples, mean, std: std ?? 0, published: figure?.mean }];
}

function pointsOf({ steps, values }: MetricSeries): Curve["points"] {
  return steps.map((step, at) => ({ step: Number(step), value: values[at] ?? Number.NaN }));
}

function experimentLabel(experiment: Experiment): string {
  const { spec } = experiment;
  const baseline = spec?.baseline?.full ? "Full data" : "Baselines";
  return `${isDistilled(experiment) ? shortLabel(spec) : baseline}, seed ${spec?.seed}`;
}

function isDistilled({ tasks }: Experiment): boolean {
  return tasks.some((task) => task.work?.kind?.$case === "distill");
}

function specOf({ id, spec }: Experiment): ExperimentSpec {
  if (spec === undefined) throw internal(`the server returned no spec for experiment ${id}`);
  return spec;
}

function artifactContent(experiment: Experiment, { inspected }: ReportDetails): ReportedArtifact[] {
  const content = inspected.get(experiment.id);
  return content === undefined ? [] : [{ label: experimentLabel(experiment), content }];
}

function filesOf(experiment: Experiment): Map<string, string> {
  const files = artifactOf(experiment)?.files ?? [];
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
