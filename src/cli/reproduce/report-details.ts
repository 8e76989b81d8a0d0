import { FailureKind, fromFailure, StillhouseError, toFailure } from "../../errors.js";
import type { Experiment } from "../../generated/stillhouse/v1/experiment.js";
import type { MetricSeries } from "../../generated/stillhouse/v1/service.js";
import { OUTER_LOSS, VALIDATION_ACCURACY } from "../../metric-names.js";
import { type Inspected, inspectedSchema } from "../../report/inspected.js";
import type { Connection } from "../connect/connection.js";
import { withArtifactFolder } from "../robustness/artifact-copy.js";
import type { Outcome } from "../run/experiment-runner.js";

/** Inspects distilled data; see `inspection.artifact`. */
export type InspectArtifact = (path: string, top: number) => Promise<unknown>;

/** Metrics that a report draws. */
const METRICS = [OUTER_LOSS, VALIDATION_ACCURACY];
/** Most points per curve: more cannot be distinguished on a page. */
const MAX_POINTS = 150;
/** Nearest tokens per position. */
const TOP = 5;

/**
 * Reads the distilled data of all outcomes that have some.
 *
 * One that cannot be read costs the report that part only.
 *
 * @param onProgress gets how many have been read.
 * @returns what it holds, or why that is not known, by the id of the experiment.
 */
export async function inspectOutcomes(
  outcomes: readonly Outcome[],
  connection: Pick<Connection, "client">,
  inspect: InspectArtifact,
  onProgress: (done: number, total: number) => void,
): Promise<Map<string, Inspected | string>> {
  const contents = new Map<string, Inspected | string>();
  const distilled = outcomes.filter(({ artifactPath }) => artifactPath !== "");
  for (const outcome of distilled) {
    onProgress(contents.size, distilled.length);
    contents.set(outcome.experiment.id, await contentOf(outcome, connection, inspect));
  }
  onProgress(distilled.length, distilled.length);
  return contents;
}

/**
 * Reads the curves of all distillations, each from the experiment that computed it.
 *
 * @returns by the id of the experiment that is reported.
 */
export async function seriesOfOutcomes(
  outcomes: readonly Outcome[],
  connection: Connection,
): Promise<Map<string, MetricSeries[]>> {
  const found = new Map<string, MetricSeries[]>();
  for (const { experiment } of outcomes) {
    const source = sourceOf(experiment);
    if (source !== undefined) found.set(experiment.id, await distillSeries(source, connection));
  }
  return found;
}

/** The id of the experiment that computed the distilled data; undefined where there is none. */
function sourceOf({ id, tasks }: Experiment): string | undefined {
  for (const { result } of tasks) {
    if (result?.kind?.$case === "distill") return result.kind.value.artifact?.experimentId || id;
  }
  return undefined;
}

async function distillSeries(experimentId: string, connection: Connection) {
  try {
    const { experiment } = await connection.call((client) => client.get(experimentId));
    const isDistill = (taskId: string) =>
      experiment?.tasks.some(({ id, work }) => id === taskId && work?.kind?.$case === "distill");
    const wanted = { names: METRICS, maxPoints: MAX_POINTS };
    const series = await connection.call((client) => client.series(experimentId, wanted));
    return series.filter(({ taskId }) => isDistill(taskId));
  } catch (error) {
    // Its distilled data outlives an experiment that was removed; its curves do not.
    if (isNotFound(error)) return [];
    throw error;
  }
}

function isNotFound(error: unknown): boolean {
  return error instanceof StillhouseError && error.kind === FailureKind.NOT_FOUND;
}

async function contentOf(
  outcome: Outcome,
  connection: Pick<Connection, "client">,
  inspect: InspectArtifact,
): Promise<Inspected | string> {
  try {
    return await withArtifactFolder(outcome, connection, async (folder) =>
      inspectedSchema.parse(await inspect(folder, TOP)),
    );
  } catch (thrown) {
    return `It could not be inspected: ${fromFailure(toFailure(thrown)).message}`;
  }
}
