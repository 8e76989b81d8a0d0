import type { MetricSeries } from "../../generated/stillhouse/v1/service.js";
import { toCsv } from "../../text/table-text.js";
import type { Connection } from "../connect/connection.js";

/** All points of a metric of a task. */
export interface FullSeries {
  readonly task: string;
  readonly name: string;
  readonly steps: readonly number[];
  readonly values: readonly number[];
}

/** Most points of a series that one call returns. */
const POINTS_PER_CALL = 10_000;

/** Every point of every metric of an experiment, however many calls that takes. */
export async function allPoints(connection: Connection, id: string): Promise<FullSeries[]> {
  const whole = await seriesOf(connection, id, {});
  const full: FullSeries[] = [];
  for (const series of whole) full.push(await completed(connection, id, series));
  return full;
}

/** One line per point. */
export function metricsCsv(series: readonly FullSeries[]): string {
  const rows = series.flatMap(({ task, name, steps, values }) =>
    steps.map((step, at) => [task, name, String(step), String(values[at])]),
  );
  return toCsv({ head: ["task", "name", "step", "value"], rows });
}

/** A series that was thinned out, by halves of its steps until none is. */
async function completed(
  connection: Connection,
  id: string,
  series: MetricSeries,
): Promise<FullSeries> {
  const { taskId, name, steps, values, numPoints } = series;
  const first = steps[0] ?? 0n;
  const last = steps.at(-1) ?? 0n;
  if (BigInt(steps.length) >= numPoints || first >= last) {
    return { task: taskId, name, steps: steps.map(Number), values };
  }
  const middle = (first + last) / 2n;
  const ranges = [
    { firstStep: first, lastStep: middle },
    { firstStep: middle + 1n, lastStep: last },
  ];
  const halves: FullSeries[] = [];
  for (const range of ranges) {
    const found = (await seriesOf(connection, id, { ...range, names: [name] })).find(
      (half) => half.taskId === taskId,
    );
    if (found) halves.push(await completed(connection, id, found));
  }
  return {
    task: taskId,
    name,
    steps: halves.flatMap((half) => half.steps),
    values: halves.flatMap((half) => half.values),
  };
}

function seriesOf(
  connection: Connection,
  id: string,
  wanted: { names?: string[]; firstStep?: bigint; lastStep?: bigint },
): Promise<MetricSeries[]> {
  return connection.call((client) => client.series(id, { ...wanted, maxPoints: POINTS_PER_CALL }));
}
