import type { MetricStore, SeriesRange, StoredPoint } from "../experiment/domain/storage-ports.js";
import type { MetricPoint } from "../generated/stillhouse/v1/experiment.js";
import type { MetricSeries, MetricSummary } from "../generated/stillhouse/v1/service.js";
import { type Extreme, extremeRows } from "./extreme-rows.js";
import { blockOf, measureBlocks } from "./metric-blocks.js";
import { insertPoints, type PointRow, storeSummaries } from "./metric-rows.js";
import { METRIC_SERIES, readSeries } from "./metric-series.js";
import { MetricSummaryRow } from "./metric-summary.js";
import type { SqlDatabase } from "./sql-database.js";
import { SummaryCache } from "./summary-cache.js";

/**
 * Metric points in SQLite, one transaction per batch: one value per step of a series, and a summary
 * of each series, so that it need not be read.
 */
export class SqliteMetricStore implements MetricStore {
  readonly #file: SqlDatabase;
  readonly #summaries: SummaryCache;

  /** @param file connection of its own, see `openForMetrics` */
  constructor(file: SqlDatabase) {
    this.#file = file;
    this.#summaries = new SummaryCache(file);
  }

  appendMetrics(taskId: string, attempt: number, points: readonly MetricPoint[]): void {
    if (points.length === 0) return;
    try {
      this.#file.transaction(() => this.#append(taskId, attempt, points));
    } catch (error) {
      // The cached summaries already include points that were not stored.
      this.#summaries.clear();
      throw error;
    }
  }

  #append(taskId: string, attempt: number, points: readonly MetricPoint[]): void {
    const rows: PointRow[] = [];
    const summaries: MetricSummaryRow[] = [];
    const touched: { summary: MetricSummaryRow; blocks: Set<number> }[] = [];
    for (const [name, ofName] of byName(points)) {
      const summary = this.#summaries.get(taskId, name);
      const isNew = isBeyond(ofName, summary.greatestStep);
      const blocks = new Set(summary.numPoints > 0 ? [blockOf(summary.greatestStep)] : []);
      for (const point of ofName) {
        const row = { series: summary.id, attempt, point };
        if (isNew) rows.push(row);
        if (!isNew && !this.#replaced(row, summary)) continue;
        summary.add(point);
        blocks.add(blockOf(Number(point.step)));
      }
      if (summary.isStale) this.#measureAnew(summary);
      summaries.push(summary);
      touched.push({ summary, blocks });
    }
    insertPoints(this.#file, rows);
    storeSummaries(this.#file, summaries);
    for (const { summary, blocks } of touched) {
      // This block is still being filled.
      blocks.delete(blockOf(summary.greatestStep));
      measureBlocks(this.#file, summary.id, blocks);
    }
  }

  summaries(taskIds: readonly string[]): MetricSummary[] {
    return METRIC_SERIES.of(this.#file, taskIds, []).map((row) =>
      new MetricSummaryRow(row).message(),
    );
  }

  points(taskId: string, name: string, firstStep: number, limit: number): StoredPoint[] {
    return this.#file
      .all<{ step: number; value: number | null; time_ms: number }>(
        `SELECT step, value, time_ms FROM metric_points
         WHERE series = (SELECT id FROM metric_series WHERE task_id = ? AND name = ?) AND step >= ?
         ORDER BY step LIMIT ?`,
        ...[taskId, name, firstStep, limit],
      )
      .map(({ step, value, time_ms }) => ({ step, value: value ?? Number.NaN, timeMs: time_ms }));
  }

  series(
    taskIds: readonly string[],
    names: readonly string[],
    range: (numSeries: number) => SeriesRange,
  ): MetricSeries[] {
    const rows = METRIC_SERIES.of(this.#file, taskIds, names);
    const wanted = range(rows.length);
    return rows.map((row) => readSeries(this.#file, row, wanted));
  }

  /**
   * Stores a point whose step may exist already; then the value of the later attempt counts.
   *
   * @returns whether the point is new
   */
  #replaced({ series, attempt, point }: PointRow, summary: MetricSummaryRow): boolean {
    const { step, sequence, value } = point;
    const timeMs = point.time?.getTime() ?? 0;
    const inserted = this.#file.run(
      `INSERT INTO metric_points (series, step, attempt, sequence, value, time_ms)
       VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (series, step) DO NOTHING`,
      ...[series, step, attempt, sequence, value, timeMs],
    );
    if (inserted.changes === 1) return true;
    const updated = this.#file.run(
      `UPDATE metric_points SET attempt = ?, sequence = ?, value = ?, time_ms = ?
       WHERE series = ? AND step = ? AND (attempt, sequence) < (?, ?)`,
      ...[attempt, sequence, value, timeMs, series, step, attempt, sequence],
    );
    if (updated.changes === 0) return false;
    summary.replaced(point);
    return true;
  }

  /** Finds the least and the greatest value again, after one of them was replaced. */
  #measureAnew(summary: MetricSummaryRow): void {
    const points = { table: "metric_points", step: "step", value: "value", where: "series = ?" };
    const extreme = (which: Extreme) =>
      this.#file.get<{ step: number; value: number | null }>(
        extremeRows(this.#file, which, points),
        summary.id,
      );
    summary.setExtremes(extreme("min"), extreme("max"));
  }
}

function byName(points: readonly MetricPoint[]): Map<string, MetricPoint[]> {
  const groups = new Map<string, MetricPoint[]>();
  for (const point of points) {
    const group = groups.get(point.name);
    if (group) group.push(point);
    else groups.set(point.name, [point]);
  }
  return groups;
}

/** Whether all steps come after the stored ones, so that none of them can be stored already. */
function isBeyond(points: readonly MetricPoint[], greatestStep: number): boolean {
  let before = greatestStep;
  for (const { step } of points) {
    if (Number(step) <= before) return false;
    before = Number(step);
  }
  return true;
}
