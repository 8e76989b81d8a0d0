import { createHash } from "node:crypto";
import { cancelled, present } from "../../errors.js";
import { type Experiment, State } from "../../generated/stillhouse/v1/experiment.js";
import type { Failure } from "../../generated/stillhouse/v1/failure.js";
import type { ResolveExperimentResponse, Sweep } from "../../generated/stillhouse/v1/service.js";
import type { ExperimentSpec } from "../../generated/stillhouse/v1/spec.js";
import { specHash } from "../../settings/hash.js";
import { isEnded } from "../connect/watch-experiment.js";
import { EventPresenter } from "../progress/event-presenter.js";
import { OverviewCounter } from "../progress/group-overview.js";
import { ExperimentRunner, type Outcome } from "../run/experiment-runner.js";
import type { Session } from "../run/session.js";

/** An experiment of a group. */
export interface Member {
  /** Its name in the progress. */
  readonly label: string;
  readonly draft: ExperimentSpec;
  /** What is run instead where that resolves to another device than a CUDA device. */
  readonly draftWithoutCuda?: ExperimentSpec;
}

export interface GroupRunnerOptions extends Omit<Session, "untilStopped"> {
  /** Reuse no result that ended before now. */
  readonly isFresh: boolean;
  /** Priority of new experiments; those that were stored before keep theirs. */
  readonly priority: number;
  /** Failures of an earlier run that would only happen again; none when absent. */
  readonly isFinal?: (failure: Failure) => boolean;
}

/** Runs the experiments of a group, each by its place, and keeps the overview of them. */
export class GroupRunner {
  readonly #options: GroupRunnerOptions;
  readonly #counter: OverviewCounter;
  readonly #reuseAfter: Date | undefined;
  readonly #runner: ExperimentRunner;

  /** @param total experiments that will be run. */
  constructor(total: number, options: GroupRunnerOptions) {
    const { progress, isFresh } = options;
    this.#options = options;
    this.#counter = new OverviewCounter(total, (overview) => progress.overview(overview));
    this.#reuseAfter = isFresh ? new Date() : undefined;
    this.#runner = new ExperimentRunner(options);
  }

  /**
   * Stores one, or finds the one that an earlier run of the same group stored, and has it continue:
   * its request id follows from its spec and from the code that computes it.
   *
   * @returns its id.
   * @throws StillhouseError CANCELLED when stopped before.
   */
  async store(resolution: ResolveExperimentResponse): Promise<string> {
    this.throwIfStopped();
    const { connection, priority } = this.#options;
    const spec = specOf(resolution);
    const reuseAfter = this.#reuseAfter;
    const requestId = `group-${this.#hashOf([resolution])}`;
    const { id } = await connection.call((client) =>
      client.create(spec, requestId, reuseAfter, { priority }),
    );
    this.#runner.take([id]);
    await this.#goOn(id);
    return id;
  }

  /**
   * As `store`, but all as one sweep, before any of them runs.
   *
   * @param maxParallel how many of them may be begun and not yet done; 0 for all.
   * @returns the sweep; its experiments are in the order of the resolutions.
   */
  async storeSweep(
    name: string,
    maxParallel: number,
    resolutions: readonly ResolveExperimentResponse[],
  ): Promise<Sweep> {
    this.throwIfStopped();
    const { connection, priority } = this.#options;
    const specs = resolutions.map(specOf);
    const request = { name, specs, maxParallel, priority, reuseAfter: this.#reuseAfter };
    const hash = this.#hashOf(resolutions);
    for (let count = 1; ; count++) {
      const requestId = `sweep-${hash}-${count}`;
      const sweep = await connection.call((client) =>
        client.createSweep({ ...request, requestId }),
      );
      // A sweep from which experiments were removed does not answer the request.
      if (sweep.experimentIds.length < specs.length) continue;
      this.#runner.take(sweep.experimentIds);
      for (const id of sweep.experimentIds) await this.#goOn(id);
      return sweep;
    }
  }

  /**
   * Waits for the end of one that is stored.
   *
   * @param at its place in the group.
   */
  async follow(at: number, label: string, id: string): Promise<Outcome> {
    const presenter = new EventPresenter(this.#options.progress, true);
    const outcome = await this.#runner.followOnwards(id, (event) => {
      const { kind } = event;
      if (kind?.$case === "experiment" && kind.value.state === State.RUNNING) {
        this.#counter.set(at, "running");
      }
      presenter.show(event);
    });
    this.#tell(at, label, outcome.experiment);
    return outcome;
  }

  #tell(at: number, label: string, { state, failure }: Experiment): void {
    const { progress } = this.#options;
    if (!isEnded(state) || state === State.CANCELLED) {
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
    throw cancelled("stopped; the same command continues where it stopped");
  }

  #goOn(id: string): Promise<void> {
    const { isFinal } = this.#options;
    return this.#runner.resume(id, ({ failure }) => {
      return failure === undefined || !isFinal?.(failure);
    });
  }

  /** Hash of everything that determines the results. */
  #hashOf(resolutions: readonly ResolveExperimentResponse[]): string {
    const identity = resolutions.map((resolution) => [
      specHash(specOf(resolution)),
      ...resolution.tasks.map((task) => task.cacheKey),
    ]);
    const text = JSON.stringify([identity, this.#reuseAfter?.toJSON()]);
    return createHash("sha256").update(text).digest("hex");
  }
}

function specOf({ spec }: ResolveExperimentResponse): ExperimentSpec {
  return present(spec, "the server resolved a draft and returned no spec");
}
