import { METRIC_SERIES } from "./metric-series.js";
import { MetricSummaryRow } from "./metric-summary.js";
import type { SqlDatabase } from "./sql-database.js";

/** More than tasks run at a time; tasks that have ended report nothing more. */
const MAX_TASKS = 1_000;

/** Summaries of the series of tasks that reported recently, so that each is only read once. */
export class SummaryCache {
  readonly #file: SqlDatabase;
  readonly #byTask = new Map<string, Map<string, MetricSummaryRow>>();

  constructor(file: SqlDatabase) {
    this.#file = file;
  }

  /** The summary of a series, which is created if there is none. */
  get(taskId: string, name: string): MetricSummaryRow {
    const byName = this.#of(taskId);
    let summary = byName.get(name);
    if (!summary) {
      summary = new MetricSummaryRow(METRIC_SERIES.findOrCreate(this.#file, taskId, name));
      byName.set(name, summary);
    }
    return summary;
  }

  clear(): void {
    this.#byTask.clear();
  }

  #of(taskId: string): Map<string, MetricSummaryRow> {
    const found = this.#byTask.get(taskId);
    if (found) return found;
    const [oldest] = this.#byTask.keys();
    if (oldest !== undefined && this.#byTask.size >= MAX_TASKS) this.#byTask.delete(oldest);
    const made = new Map<string, MetricSummaryRow>();
    this.#byTask.set(taskId, made);
    return made;
  }
}
