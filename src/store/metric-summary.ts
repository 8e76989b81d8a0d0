import type { MetricPoint } from "../generated/stillhouse/v1/experiment.js";
import type { MetricSummary, StepValue } from "../generated/stillhouse/v1/service.js";
import type { SqlValue } from "./sql-database.js";

/** A row of the table `metric_series`. A value that is no number is NULL. */
export interface SeriesRow {
  id: number;
  task_id: string;
  name: string;
  num_points: number;
  greatest_step: number;
  last_step: number | null;
  last_value: number | null;
  min_step: number | null;
  min_value: number | null;
  max_step: number | null;
  max_value: number | null;
}

interface Extreme {
  readonly step: number;
  readonly value: number | null;
}

/**
 * A summary of a series. The best value is the least one for a loss and the greatest one for an
 * accuracy, so both are kept.
 */
export class MetricSummaryRow {
  readonly #row: SeriesRow;
  /** Whether the least or the greatest value was replaced and has to be found again. */
  isStale = false;

  constructor(row: SeriesRow) {
    this.#row = { ...row };
  }

  get id(): number {
    return this.#row.id;
  }

  get numPoints(): number {
    return this.#row.num_points;
  }

  get greatestStep(): number {
    return this.#row.greatest_step;
  }

  /** Adds a stored point; call `replaced` before if it replaced another one. */
  add({ step: bigStep, value }: MetricPoint): void {
    const row = this.#row;
    const step = Number(bigStep);
    row.num_points += 1;
    row.greatest_step = Math.max(row.greatest_step, step);
    // Points of an earlier attempt may arrive after those of the attempt that continues from it.
    if (step >= (row.last_step ?? 0)) {
      row.last_step = step;
      row.last_value = value;
    }
    if (Number.isNaN(value)) return;
    if (row.min_value === null || value < row.min_value) {
      row.min_step = step;
      row.min_value = value;
    }
    if (row.max_value === null || value > row.max_value) {
      row.max_step = step;
      row.max_value = value;
    }
  }

  replaced({ step: bigStep, value }: MetricPoint): void {
    const row = this.#row;
    const step = Number(bigStep);
    row.num_points -= 1;
    const isLess = step === row.max_step && value !== row.max_value;
    const isMore = step === row.min_step && value !== row.min_value;
    this.isStale ||= isLess || isMore;
  }

  setExtremes(min: Extreme | undefined, max: Extreme | undefined): void {
    const row = this.#row;
    row.min_value = min?.value ?? null;
    row.min_step = row.min_value === null ? null : (min?.step ?? null);
    row.max_value = max?.value ?? null;
    row.max_step = row.max_value === null ? null : (max?.step ?? null);
    this.isStale = false;
  }

  /** The values in the order of the table's columns. */
  columns(): SqlValue[] {
    const row = this.#row;
    return [
      ...[row.id, row.task_id, row.name],
      ...[row.num_points, row.greatest_step, row.last_step, row.last_value],
      ...[row.min_step, row.min_value, row.max_step, row.max_value],
    ];
  }

  message(): MetricSummary {
    const row = this.#row;
    return {
      taskId: row.task_id,
      name: row.name,
      numPoints: BigInt(row.num_points),
      descriptor: undefined,
      last: { step: BigInt(row.last_step ?? 0), value: row.last_value ?? Number.NaN },
      min: stepValue(row.min_step, row.min_value),
      max: stepValue(row.max_step, row.max_value),
    };
  }
}

function stepValue(step: number | null, value: number | null): StepValue | undefined {
  return step === null || value === null ? undefined : { step: BigInt(step), value };
}
