import type { SqlFile } from "./database.js";

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
export function measureBlocks(file: SqlFile, series: number, blocks: Iterable<number>): void {
  const extreme = (aggregate: "min" | "max") =>
    `(SELECT step, ${aggregate}(value) AS value, count(*) AS count FROM metric_points
      WHERE series = ? AND step BETWEEN ? AND ?)`;
  for (const block of blocks) {
    const range = [series, block * BLOCK_STEPS, (block + 1) * BLOCK_STEPS - 1];
    file.run(
      `INSERT OR REPLACE INTO metric_blocks
         (series, block, num_points, min_step, min_value, max_step, max_value)
       SELECT ?, ?, least.count, least.step, least.value, greatest.step, greatest.value
       FROM ${extreme("min")} AS least, ${extreme("max")} AS greatest
       WHERE least.count > 0`,
      ...[series, block, ...range, ...range],
    );
  }
}
