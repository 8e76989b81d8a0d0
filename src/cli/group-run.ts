import { createHash } from "node:crypto";
import { FailureKind, fromFailure, StillhouseError } from "../errors.js";
import { type Experiment, State } from "../generated/stillhouse/v1/experiment.js";
import type { ResolveExperimentResponse } from "../generated/stillhouse/v1/service.js";
import type { ExperimentSpec } from "../generated/stillhouse/v1/spec.js";
import { specHash } from "../spec/hash.js";
import type { Connection } from "./connection.js";
import { EventPresenter } from "./event-presenter.js";
import { aborted } from "./interruption.js";
import type { ProgressDisplay } from "./progress-display.js";
import { isEnded, watchExperiment } from "./watch-experiment.js";

/** An experiment that is wanted. */
export interface Member {
  /** How it is called while it runs. */
  readonly label: string;
  readonly draft: ExperimentSpec;
}

/** One that has ended with success. */
export interface Outcome {
  readonly experiment: Experiment;
  readonly artifactPath: string;
}

export interface GroupOptions {
  readonly connection: Connection;
  readonly progress: ProgressDisplay;
  /** When it aborts, what runs is stopped after a checkpoint. */
  readonly stop: AbortSignal;
  /** Take no result that ended before now. */
  readonly isFresh: boolean;
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
 * The same group again goes on with the experiments of the first time, since each is stored under a
 * request id that follows from its spec and from the code that computes it: what is done is only
 * read, what was stopped or has failed is resumed.
 *
 * @returns one outcome a member, in their order.
 * @throws StillhouseError CANCELLED when stopped, else the failure of the first that failed, when
 *   all others have ended.
 */
export async function runGroup(
  members: readonly Member[],
  resolutions: readonly ResolveExperimentResponse[],
  options: GroupOptions,
): Promise<Outcome[]> {
  const { connection, progress, stop } = options;
  const beginning = new Date();
  const ids: string[] = [];
  for (const resolution of resolutions) {
    ids.push(await startOne(connection, resolution, options.isFresh ? beginning : undefined));
  }
  const unfinished = new Set(ids);
  let numDone = 0;
  const stopped = aborted(stop).then(async () => {
    progress.note("Stopping after a checkpoint; press Ctrl-C once more to end at once");
    await Promise.allSettled(
      [...unfinished].map((id) => connection.call((client) => client.cancel(id))),
    );
  });
  stopped.catch(() => undefined); // the end of the watches tells what became of them
  await Promise.all(
    [...new Set(ids)].map(async (id) => {
      const experiment = await followed(id, options);
      unfinished.delete(id);
      numDone += ids.filter((other) => other === id).length;
      const { label } = members[ids.indexOf(id)] as Member;
      progress.note(`${numDone} of ${ids.length}: ${label} ${endWord(experiment.state)}`);
    }),
  );
  const outcomes = [];
  for (const id of ids) outcomes.push(await outcomeOf(connection, id, stop));
  return outcomes;
}

/** Stores an experiment, or finds it stored by an earlier run, and sees that it goes on. */
async function startOne(
  connection: Connection,
  { spec, tasks }: ResolveExperimentResponse,
  reuseAfter: Date | undefined,
): Promise<string> {
  if (spec === undefined) throw new Error("a resolution has a spec");
  const identity = [specHash(spec), ...tasks.map((task) => task.cacheKey), reuseAfter?.toJSON()];
  const requestId = `group-${createHash("sha256").update(JSON.stringify(identity)).digest("hex")}`;
  const { id, state } = await connection.call((client) =>
    client.create(spec, requestId, reuseAfter),
  );
  connection.adopt(id);
  if (state === State.STATE_CANCELLED || state === State.STATE_FAILED) {
    await connection.call((client) => client.resume(id));
  }
  return id;
}

async function followed(id: string, options: GroupOptions): Promise<Experiment> {
  const { connection, progress, stop } = options;
  const { experiment } = await connection.call((client) => client.get(id));
  if (experiment !== undefined && isEnded(experiment.state)) return experiment;
  const presenter = new EventPresenter(progress);
  const isStopping = () => stop.aborted;
  const watched = { connection, experimentId: id, skipsHistory: true, isStopping };
  for await (const event of watchExperiment(watched)) presenter.show(event);
  const ended = await connection.call((client) => client.get(id));
  if (ended.experiment === undefined) throw new Error("an experiment that is found is there");
  return ended.experiment;
}

async function outcomeOf(connection: Connection, id: string, stop: AbortSignal): Promise<Outcome> {
  const { experiment, artifactPath } = await connection.call((client) => client.get(id));
  if (experiment?.state === State.STATE_SUCCEEDED) return { experiment, artifactPath };
  if (experiment?.failure !== undefined && !stop.aborted) throw fromFailure(experiment.failure);
  throw new StillhouseError(
    FailureKind.FAILURE_KIND_CANCELLED,
    "stopped; the same command goes on where it was",
  );
}

function endWord(state: State): string {
  const words: Partial<Record<State, string>> = {
    [State.STATE_SUCCEEDED]: "done",
    [State.STATE_FAILED]: "failed",
    [State.STATE_CANCELLED]: "stopped",
  };
  return words[state] ?? state;
}
