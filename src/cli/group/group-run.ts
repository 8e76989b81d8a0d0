import pLimit from "p-limit";
import { fromFailure } from "../../errors.js";
import type { ResolveExperimentResponse } from "../../generated/stillhouse/v1/service.js";
import type { NamedServer } from "../connect/server-flags.js";
import { serverPlaceNote } from "../connect/server-place.js";
import type { Outcome } from "../run/experiment-runner.js";
import { requireSent } from "../run/sent-draft.js";
import { GroupRunner, type GroupRunnerOptions, type Member } from "./group-runner.js";

/** Each takes one of the calls that a connection has at a time. */
const FOLLOWED_AT_ONCE = 100;

export interface GroupOptions extends GroupRunnerOptions {
  /** That looks at the data sets; absent where a control plane of this machine does. */
  readonly server: NamedServer | undefined;
  /** The group is stored as a sweep of this name; where absent, each member on its own. */
  readonly sweepName?: string | undefined;
  /** Experiments of the sweep that are begun and not yet done, at most; all of them when absent. */
  readonly maxParallel?: number | undefined;
}

type ResolveOptions = Pick<GroupOptions, "connection" | "progress" | "server"> & {
  /** Whether nothing is sent to the server either. */
  readonly isDryRun?: boolean;
};

/** Resolves all members before any of them is stored, so that a mistake in one starts none. */
export async function resolveGroup(
  members: readonly Member[],
  { connection, progress, server, isDryRun = false }: ResolveOptions,
): Promise<ResolveExperimentResponse[]> {
  progress.note("Checking the data set, the model and the device");
  const places = new Set(members.map(({ draft }) => serverPlaceNote(draft, server)));
  for (const place of places) if (place !== undefined) progress.note(place);
  const resolutions = [];
  for (const member of members) {
    const sending = { connection, progress };
    const draft = await requireSent(member.draft, sending, server, isDryRun);
    const { draftWithoutCuda: other } = member;
    const sent = other && (await requireSent(other, sending, server, isDryRun));
    const named = sent === undefined ? {} : { draftWithoutCuda: sent };
    resolutions.push(await resolved({ ...member, draft, ...named }, connection));
  }
  return resolutions;
}

async function resolved(
  { draft, draftWithoutCuda }: Member,
  connection: GroupOptions["connection"],
): Promise<ResolveExperimentResponse> {
  const resolve = (wanted: Member["draft"]) => connection.call((client) => client.resolve(wanted));
  if (draftWithoutCuda === undefined) return resolve(draft);
  // The other one may want a model that only the hub has.
  const resolution = await resolve(draftWithoutCuda);
  const isOnCuda = resolution.spec?.compute?.device?.startsWith("cuda") === true;
  return isOnCuda ? resolve(draft) : resolution;
}

/**
 * Runs experiments in parallel, as many at a time as there are workers.
 *
 * The same group again continues with the experiments of the first time: those that are done are
 * only read, those that were stopped or failed are resumed. If one fails, the others continue.
 *
 * @returns one outcome per member, in their order.
 * @throws StillhouseError CANCELLED when stopped.
 */
export async function runGroup(
  members: readonly Member[],
  resolutions: readonly ResolveExperimentResponse[],
  options: GroupOptions,
): Promise<Outcome[]> {
  const runner = new GroupRunner(members.length, options);
  const { ids } = await stored(runner, resolutions, options);
  const limit = pLimit(FOLLOWED_AT_ONCE);
  const outcomes = await Promise.all(
    ids.map((id, at) => limit(() => runner.follow(at, members[at]?.label ?? "", id))),
  );
  runner.throwIfStopped();
  return outcomes;
}

/** Experiments as the control plane has them. */
export interface StoredGroup {
  /** In the order of the members. */
  readonly ids: readonly string[];
  /** Absent where each member is stored on its own. */
  readonly sweepId?: string;
}

/**
 * Stores experiments, or finds them stored, and leaves them to the control plane.
 *
 * @throws StillhouseError CANCELLED when stopped.
 */
export async function storeGroup(
  resolutions: readonly ResolveExperimentResponse[],
  options: GroupOptions,
): Promise<StoredGroup> {
  const runner = new GroupRunner(resolutions.length, options);
  const group = await stored(runner, resolutions, options);
  runner.throwIfStopped();
  return group;
}

async function stored(
  runner: GroupRunner,
  resolutions: readonly ResolveExperimentResponse[],
  { sweepName, maxParallel = 0 }: GroupOptions,
): Promise<StoredGroup> {
  if (sweepName !== undefined) {
    const { id, experimentIds } = await runner.storeSweep(sweepName, maxParallel, resolutions);
    return { ids: experimentIds, sweepId: id };
  }
  const ids: string[] = [];
  for (const resolution of resolutions) ids.push(await runner.store(resolution));
  return { ids };
}

/** @throws StillhouseError the failure of the first that has failed. */
export function requireSuccess(outcomes: readonly Outcome[]): void {
  for (const { experiment } of outcomes) {
    if (experiment.failure !== undefined) throw fromFailure(experiment.failure);
  }
}
