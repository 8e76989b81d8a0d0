import pLimit from "p-limit";
import { fromFailure } from "../errors.js";
import type { ResolveExperimentResponse } from "../generated/stillhouse/v1/service.js";
import { GroupRunner, type GroupRunnerOptions, type Member, type Outcome } from "./group-runner.js";

export interface GroupOptions extends GroupRunnerOptions {
  /** Experiments that are stored and not yet done, at most; all of them when absent. */
  readonly maxParallel?: number | undefined;
}

/** Resolves all members before any of them is stored, so that a mistake in one starts none. */
export async function resolveGroup(
  members: readonly Member[],
  { connection, progress }: Pick<GroupOptions, "connection" | "progress">,
): Promise<ResolveExperimentResponse[]> {
  progress.note("Looking at the data set, the model and the device");
  const resolutions = [];
  for (const { draft } of members) {
    resolutions.push(await connection.call((client) => client.resolve(draft)));
  }
  return resolutions;
}

/**
 * Runs experiments side by side, as many at a time as there are workers.
 *
 * The same group again goes on with the experiments of the first time: what is done is only read,
 * what was stopped or has failed is resumed. One that fails does not stop the others.
 *
 * @returns one outcome a member, in their order.
 * @throws StillhouseError CANCELLED when stopped.
 */
export async function runGroup(
  members: readonly Member[],
  resolutions: readonly ResolveExperimentResponse[],
  options: GroupOptions,
): Promise<Outcome[]> {
  const runner = new GroupRunner(members.length, options);
  const limit = pLimit(options.maxParallel ?? Math.max(1, members.length));
  const outcomes = await Promise.all(
    resolutions.map((resolution, at) =>
      limit(() => runner.run(at, members[at]?.label ?? "", resolution)),
    ),
  );
  runner.throwIfStopped();
  return outcomes;
}

/** Stores experiments, or finds them stored, and leaves them to the control plane. */
export async function storeGroup(
  resolutions: readonly ResolveExperimentResponse[],
  options: GroupOptions,
): Promise<string[]> {
  const runner = new GroupRunner(resolutions.length, options);
  const ids: string[] = [];
  for (const resolution of resolutions) {
    runner.throwIfStopped();
    ids.push(await runner.store(resolution));
  }
  return ids;
}

/** @throws StillhouseError the failure of the first that has failed. */
export function requireSuccess(outcomes: readonly Outcome[]): void {
  for (const { experiment } of outcomes) {
    if (experiment.failure !== undefined) throw fromFailure(experiment.failure);
  }
}
