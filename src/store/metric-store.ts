import type { MetricStore } from "../experiment/ports.js";
import type { MetricPoint } from "../generated/stillhouse/v1/experiment.js";
import type { SqlFile } from "./database.js";

/**
 * What is known of a metric of a task without reading its series. The best value is the least one of
 * a loss and the greatest one of an accuracy, so both are kept.
 */
export interface MetricSummary {
  name: string;
  numPoints: number;
  last: { step: number; value: number };
  /** Absent when no value was a number. */
  min?: { step: number; value: number };
  max?: { step: number; value: number };
}

interface SummaryRow {
  name: string;
  num_points: number;
  last_step: number;
  last_value: number | null;
  min_step: number | null;
  min_value: number | null;
  max_step: number | null;
  max_value: number | null;
}

/** Metric points in SQLite, a batch a transaction, each with its summary beside the series. */
export class SqliteMetricStore implements MetricStore {
  readonly #file: SqlFile;

  /** @param file connection of its own, see `openForMetrics` */
  constructor(file: SqlFile) {
    this.#file = file;
  }

  appendMetrics(taskId: string, attempt: number, points: readonly MetricPoint[]): void {
    this.#file.transaction(() => {
      for (const point of points) {
        if (this.#insert(taskId, attempt, point)) this.#summarize(taskId, point);
      }
    });
  }

  summaries(taskId: string): MetricSummary[] {
    return this.#file
      .all<SummaryRow>("SELECT * FROM metric_summaries WHERE task_id = ? ORDER BY name", taskId)
      .map(summaryOf);
  }

  /** Whether the point is new. */
  #insert(taskId: string, attempt: number, point: MetricPoint): boolean {
    const { changes } = this.#file.run(
      `INSERT INTO metric_points (task_id, attempt, sequence, name, step, value, time_ms)
       VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (task_id, attempt, sequence) DO NOTHING`,
      taskId,
      attempt,
      point.sequence,
      point.name,
      point.step,
      point.value,
      point.time?.getTime() ?? 0,
    );
    return changes === 1;
  }

  #summarize(taskId: string, { name, step, value }: MetricPoint): void {
    const known = Number.isNaN(value) ? null : value;
    const knownStep = Number.isNaN(value) ? null : step;
    this.#file.run(
      `INSERT INTO metric_summaries AS s
         (task_id, name, num_points, last_step, last_value, min_step, min_value, max_step, max_value)
       VALUES (?, ?, 1, ?, ?, ?, ?, ?, ?)
       ON CONFLICT (task_id, name) DO UPDATE SET
         num_points = s.num_points + 1,
         last_step = excluded.last_step,
         last_value = excluded.last_value,
         min_step = iif(s.min_value IS NULL OR excluded.min_value < s.min_value,
           excluded.min_step, s.min_step),
         min_value = iif(s.min_value IS NULL OR excluded.min_value < s.min_value,
           excluded.min_value, s.min_value),
         max_step = iif(s.max_value IS NULL OR excluded.max_value > s.max_value,
           excluded.max_step, s.max_step),
         max_value = iif(s.max_value IS NULL OR excluded.max_value > s.max_value,
           excluded.max_value, s.max_value)`,
      ...[taskId, name, step, known, knownStep, known, knownStep, known],
    );
  }
}

function summaryOf(row: SummaryRow): MetricSummary {
  const { min_step, min_value, max_step, max_value } = row;
  return {
    name: row.name,
    numPoints: row.num_points,
    last: { step: row.last_step, value: row.last_value ?? Number.NaN },
    ...(min_step !== null && min_value !== null
      ? { min: { step: min_step, value: min_value } }
      : {}),
    ...(max_step !== null && max_value !== null
      ? { max: { step: max_step, value: max_value } }
      : {}),
  };
}
