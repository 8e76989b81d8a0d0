import { type Extreme, extremeRows } from "./extreme-rows.js";
import type { SqlDatabase } from "./sql-database.js";

/** Steps per block; a long series is drawn from its blocks, without reading its points. */
export const BLOCK_STEPS = 64;

/** The block that a step is in. */
export function blockOf(step: number): number {
  return Math.floor(step / BLOCK_STEPS);
}

/**
 * Stores summaries of blocks: the number of points, the least and the greatest value. The block
 * with a series' greatest step is still being filled, so its stored summary does not count.
 */
export function measureBlocks(file: SqlDatabase, series: number, blocks: Iterable<number>): void {
  const where = "series = ?1 AND step BETWEEN ?3 AND ?4";
  const points = { table: "metric_points", step: "step", value: "value", where };
  const extreme = (which: Extreme) => `(${extremeRows(file, which, points)})`;
  for (const block of blocks) {
    file.run(
      `INSERT INTO metric_blocks
         (series, block, num_points, min_step, min_value, max_step, max_value)
       SELECT CAST(?1 AS BIGINT), CAST(?2 AS BIGINT), least.count, least.step, least.value, greatest.step, greatest.value
       FROM ${extreme("min")} AS least, ${extreme("max")} AS greatest
       WHERE least.count > 0
       ON CONFLICT (series, block) DO UPDATE SET num_points = excluded.num_points,
         min_step = excluded.min_step, min_value = excluded.min_value,
         max_step = excluded.max_step, max_value = excluded.max_value`,
      ...[series, block, block * BLOCK_STEPS, (block + 1) * BLOCK_STEPS - 1],
    );
  }
}
