import type { SqlFile } from "./database.js";
import { METRIC_SERIES } from "./metric-series.js";
import { MetricSummaryRow } from "./metric-summary.js";

/** Tasks that run at a time are fewer; of those that ended nothing more comes. */
const MAX_TASKS = 1_000;

/** What is known of the series of the tasks that last reported, so that it is read once. */
export class SummaryCache {
  readonly #file: SqlFile;
  readonly #byTask = new Map<string, Map<string, MetricSummaryRow>>();

  constructor(file: SqlFile) {
    this.#file = file;
  }

  /** The summary of a series, which is made where there is none. */
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
