import { createHash } from "node:crypto";
import pLimit from "p-limit";
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

/** One that has ended, in whatever way. */
export interface Outcome {
  readonly experiment: Experiment;
  /** Empty where nothing was distilled. */
  readonly artifactPath: string;
}

export interface GroupOptions {
  readonly connection: Connection;
  readonly progress: ProgressDisplay;
  /** When it aborts, what runs is stopped after a checkpoint. */
  readonly stop: AbortSignal;
  /** Take no result that ended before now. */
  readonly isFresh: boolean;
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
 * The same group again goes on with the experiments of the first time, since each is stored under a
 * request id that follows from its spec and from the code that computes it: what is done is only
 * read, what was stopped or has failed is resumed. One that fails does not stop the others.
 *
 * @returns one outcome a member, in their order.
 * @throws StillhouseError CANCELLED when stopped.
 */
export async function runGroup(
  members: readonly Member[],
  resolutions: readonly ResolveExperimentResponse[],
  options: GroupOptions,
): Promise<Outcome[]> {
  const { connection, progress, stop } = options;
  const reuseAfter = options.isFresh ? new Date() : undefined;
  const unfinished = new Set<string>();
  aborted(stop).then(() => {
    progress.note("Stopping after a checkpoint; press Ctrl-C once more to end at once");
    // The end of the watches tells what became of them.
    for (const id of unfinished) connection.call((client) => client.cancel(id)).catch(() => {});
  });
  const limit = pLimit(options.maxParallel ?? Math.max(1, members.length));
  let numDone = 0;
  const runs = members.map(({ label }, at) =>
    limit(async () => {
      if (stop.aborted) throw stoppedError();
      const id = await startOne(connection, resolutions[at], reuseAfter);
      unfinished.add(id);
      const outcome = await followed(id, options);
      unfinished.delete(id);
      numDone += 1;
      progress.note(`${numDone} of ${members.length}: ${label} ${endWord(outcome)}`);
      return outcome;
    }),
  );
  const outcomes = await Promise.all(runs);
  if (stop.aborted) throw stoppedError();
  return outcomes;
}

/** @throws StillhouseError the failure of the first that has failed. */
export function requireSuccess(outcomes: readonly Outcome[]): void {
  for (const { experiment } of outcomes) {
    if (experiment.failure !== undefined) throw fromFailure(experiment.failure);
  }
}

/** Stores an experiment, or finds it stored by an earlier run, and sees that it goes on. */
async function startOne(
  connection: Connection,
  resolution: ResolveExperimentResponse | undefined,
  reuseAfter: Date | undefined,
): Promise<string> {
  if (resolution?.spec === undefined) throw new Error("a resolution has a spec");
  const { spec, tasks } = resolution;
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

async function followed(id: string, options: GroupOptions): Promise<Outcome> {
  const { connection, progress, stop } = options;
  const before = await outcomeOf(connection, id);
  if (isEnded(before.experiment.state)) return before;
  const presenter = new EventPresenter(progress);
  const isStopping = () => stop.aborted;
  const watched = { connection, experimentId: id, skipsHistory: true, isStopping };
  for await (const event of watchExperiment(watched)) presenter.show(event);
  return outcomeOf(connection, id);
}

async function outcomeOf(connection: Connection, id: string): Promise<Outcome> {
  const { experiment, artifactPath } = await connection.call((client) => client.get(id));
  if (experiment === undefined) throw new Error("an experiment that is found is there");
  return { experiment, artifactPath };
}

function stoppedError(): StillhouseError {
  return new StillhouseError(
    FailureKind.FAILURE_KIND_CANCELLED,
    "stopped; the same command goes on where it was",
  );
}

function endWord({ experiment }: Outcome): string {
  switch (experiment.state) {
    case State.STATE_SUCCEEDED:
      return "is done";
    case State.STATE_FAILED:
      return `has failed: ${experiment.failure?.message}`;
    default:
      return "was stopped";
  }
}
