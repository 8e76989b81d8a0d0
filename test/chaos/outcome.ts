import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { isDeepStrictEqual } from "node:util";
import {
  type Experiment,
  LearnerResult,
  State,
  TaskResult,
} from "../../src/generated/stillhouse/v1/experiment.js";
import type { SqlDatabase } from "../../src/store/sql-database.js";

/** What an experiment leaves: its results without times, and its metrics by task and name. */
export interface Outcome {
  /** Equal texts are equal results, bytes of the artifact included. */
  readonly results: string;
  readonly series: ReadonlyMap<string, Series>;
}

interface Series {
  readonly values: ReadonlyMap<number, number | null>;
  /** What is stored beside the points: their number, and the last, least and greatest value. */
  readonly summary: readonly (number | null)[];
}

const NO_SERIES: Series = { values: new Map(), summary: [0] };

/** Metrics of how long things took, which no two runs have in common. */
const TIME = /^\w+ seconds_/;

interface SeriesRow {
  id: number;
  name: string;
  num_points: number;
  last_step: number;
  last_value: number | null;
  min_value: number | null;
  max_value: number | null;
}

/** @param artifacts the home's folder of artifacts @param database the home's, not in use */
export function outcomeOf(
  experiment: Experiment,
  artifacts: string,
  database: SqlDatabase,
): Outcome {
  const series = new Map<string, Series>();
  for (const { id } of experiment.tasks) {
    const rows = database.all<SeriesRow>("SELECT * FROM metric_series WHERE task_id = ?", id);
    for (const row of rows) series.set(`${roleOf(id)} ${row.name}`, seriesOf(row, database));
  }
  const results = experiment.tasks.map(({ id, result }) => [roleOf(id), resultOf(result)]);
  const files = experiment.state === State.SUCCEEDED ? filesOf(experiment, artifacts) : {};
  return { results: JSON.stringify({ state: experiment.state, results, files }), series };
}

function seriesOf(row: SeriesRow, database: SqlDatabase): Series {
  const points = database.all<{ step: number; value: number | null }>(
    "SELECT step, value FROM metric_points WHERE series = ?",
    row.id,
  );
  const { num_points, last_step, last_value, min_value, max_value } = row;
  return {
    values: new Map(points.map(({ step, value }) => [step, value])),
    summary: [num_points, last_step, last_value, min_value, max_value],
  };
}

/** Name of a task within its experiment. */
function roleOf(taskId: string): string {
  return taskId.slice(taskId.indexOf("-") + 1);
}

function resultOf(result: TaskResult | undefined): unknown {
  if (result === undefined) return undefined;
  const { kind } = TaskResult.fromJSON(TaskResult.toJSON(result));
  if (kind?.$case === "learners") {
    const inits = kind.value.inits.map((init) => ({ ...init, trainTimeS: 0 }));
    return LearnerResult.toJSON({ ...kind.value, inits });
  }
  if (kind?.$case !== "distill") return kind;
  const { keptStep, validationAccuracy, outerSteps } = kind.value;
  return { keptStep, validationAccuracy, outerSteps };
}

/** Hashes of the artifact's files on disk. */
function filesOf(experiment: Experiment, artifacts: string): Record<string, string> {
  const hashOf = (name: string) =>
    createHash("sha256")
      .update(readFileSync(join(artifacts, experiment.id, name)))
      .digest("hex");
  const names = ["distilled.safetensors", "manifest.json"];
  return Object.fromEntries(names.map((name) => [name, hashOf(name)]));
}

export interface Difference {
  readonly isEqual: boolean;
  /** Names of the series that differ. */
  readonly series: readonly string[];
  readonly lost: number;
  readonly duplicated: number;
}

/**
 * A point is lost when a step of the calm series is missing, and doubled when there is a step that the
 * calm series lacks, or a step counts more than once. An attempt that continues from a checkpoint
 * reports the steps after it again, and must report the same values.
 */
export function compareOutcomes(calm: Outcome, chaotic: Outcome): Difference {
  const series: string[] = [];
  let lost = 0;
  let duplicated = 0;
  for (const name of new Set([...calm.series.keys(), ...chaotic.series.keys()])) {
    const expected = calm.series.get(name) ?? NO_SERIES;
    const found = chaotic.series.get(name) ?? NO_SERIES;
    const { values } = found;
    lost += [...expected.values.keys()].filter((step) => !values.has(step)).length;
    duplicated += [...values.keys()].filter((step) => !expected.values.has(step)).length;
    duplicated += Math.max(0, (found.summary[0] ?? 0) - values.size);
    if (TIME.test(name)) continue;
    const isSame = [...values].every(([step, value]) =>
      Object.is(value, expected.values.get(step)),
    );
    if (!isSame || !isDeepStrictEqual(found.summary, expected.summary)) series.push(name);
  }
  const isEqual = calm.results === chaotic.results && series.length === 0;
  return { isEqual, series, lost, duplicated };
}
