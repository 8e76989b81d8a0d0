import { createHash } from "node:crypto";
import { FailureKind, StillhouseError } from "../errors.js";
import { type Experiment, State } from "../generated/stillhouse/v1/experiment.js";
import type { Failure } from "../generated/stillhouse/v1/failure.js";
import type { ResolveExperimentResponse } from "../generated/stillhouse/v1/service.js";
import type { ExperimentSpec } from "../generated/stillhouse/v1/spec.js";
import { specHash } from "../spec/hash.js";
import type { Connection } from "./connection.js";
import { EventPresenter } from "./event-presenter.js";
import { OverviewCounter } from "./group-overview.js";
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

export interface GroupRunnerOptions {
  readonly connection: Connection;
  readonly progress: ProgressDisplay;
  /** When it aborts, what runs is stopped after a checkpoint. */
  readonly stop: AbortSignal;
  /** Take no result that ended before now. */
  readonly isFresh: boolean;
  /** Failures of an earlier run that would only happen again; none when absent. */
  readonly isFinal?: (failure: Failure) => boolean;
}

/** Runs the experiments of a group, each by its place, and keeps the overview of them. */
export class GroupRunner {
  readonly #options: GroupRunnerOptions;
  readonly #counter: OverviewCounter;
  readonly #reuseAfter: Date | undefined;
  readonly #unfinished = new Set<string>();

  /** @param total experiments that will be run. */
  constructor(total: number, options: GroupRunnerOptions) {
    const { connection, progress, stop, isFresh } = options;
    this.#options = options;
    this.#counter = new OverviewCounter(total, (overview) => progress.overview(overview));
    this.#reuseAfter = isFresh ? new Date() : undefined;
    aborted(stop).then(() => {
      progress.note("Stopping after a checkpoint; press Ctrl-C once more to end at once");
      // The end of the watches tells what became of them.
      for (const id of this.#unfinished) {
        connection.call((client) => client.cancel(id)).catch(() => {});
      }
    });
  }

  /**
   * Runs one to its end, or goes on with the one that an earlier run of the same group stored:
   * it is stored under a request id that follows from its spec and from the code that computes it.
   *
   * @param at its place in the group.
   * @throws StillhouseError CANCELLED when stopped before it began.
   */
  async run(at: number, label: string, resolution: ResolveExperimentResponse): Promise<Outcome> {
    this.throwIfStopped();
    const id = await this.store(resolution);
    this.#unfinished.add(id);
    const outcome = await this.#followed(id, () => this.#counter.set(at, "running"));
    this.#unfinished.delete(id);
    this.#tell(at, label, outcome.experiment);
    return outcome;
  }

  #tell(at: number, label: string, { state, failure }: Experiment): void {
    const { progress } = this.#options;
    if (!isEnded(state) || state === State.STATE_CANCELLED) {
      progress.note(`${label} was stopped`);
      this.#counter.set(at, "waiting");
      return;
    }
    const { done, failed, total } = this.#counter.overview;
    const end = failure === undefined ? "is done" : `has failed: ${failure.message}`;
    progress.note(`${done + failed + 1} of ${total}: ${label} ${end}`);
    this.#counter.set(at, failure === undefined ? "done" : "failed");
  }

  /** @throws StillhouseError CANCELLED when stopped. */
  throwIfStopped(): void {
    if (!this.#options.stop.aborted) return;
    throw new StillhouseError(
      FailureKind.FAILURE_KIND_CANCELLED,
      "stopped; the same command goes on where it was",
    );
  }

  /** Stores one, or finds it stored by an earlier run, and sees that it goes on. @returns its id */
  async store({ spec, tasks }: ResolveExperimentResponse): Promise<string> {
    if (spec === undefined) throw new Error("a resolution has a spec");
    const { connection, isFinal } = this.#options;
    const reuseAfter = this.#reuseAfter;
    const identity = [specHash(spec), ...tasks.map((task) => task.cacheKey), reuseAfter?.toJSON()];
    const hash = createHash("sha256").update(JSON.stringify(identity));
    const { id, state, failure } = await connection.call((client) =>
      client.create(spec, `group-${hash.digest("hex")}`, reuseAfter),
    );
    connection.adopt(id);
    const isFinished = failure !== undefined && isFinal?.(failure);
    if (state === State.STATE_CANCELLED || (state === State.STATE_FAILED && !isFinished)) {
      await connection.call((client) => client.resume(id));
    }
    return id;
  }

  async #followed(id: string, onRunning: () => void): Promise<Outcome> {
    const { connection, progress, stop } = this.#options;
    const before = await outcomeOf(connection, id);
    if (isEnded(before.experiment.state)) return before;
    const presenter = new EventPresenter(progress);
    const isStopping = () => stop.aborted;
    const watched = { connection, experimentId: id, skipsHistory: true, isStopping };
    for await (const event of watchExperiment(watched)) {
      const { kind } = event;
      if (kind?.$case === "experiment" && kind.value.state === State.STATE_RUNNING) onRunning();
      presenter.show(event);
    }
    return outcomeOf(connection, id);
  }
}

async function outcomeOf(connection: Connection, id: string): Promise<Outcome> {
  const { experiment, artifactPath } = await connection.call((client) => client.get(id));
  if (experiment === undefined) throw new Error("an experiment that is found is there");
  return { experiment, artifactPath };
}
