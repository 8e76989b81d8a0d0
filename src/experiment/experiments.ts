import { FailureKind, StillhouseError } from "../errors.js";
import { type Event, Experiment, State } from "../generated/stillhouse/v1/experiment.js";
import type {
  ListExperimentsResponse,
  ResolveExperimentResponse,
} from "../generated/stillhouse/v1/service.js";
import type { ExperimentSpec } from "../generated/stillhouse/v1/spec.js";
import { specHash } from "../spec/hash.js";
import { resolveSpec } from "../spec/resolve.js";
import { validateDraft, validateSpec } from "../spec/validate.js";
import type { Dispatcher } from "./dispatcher.js";
import type { EventFeed } from "./event-feed.js";
import type { Ledger } from "./ledger.js";
import { planTasks } from "./plan.js";
import type { ArtifactStore, Clock, ExperimentStore, Ids, Inspector } from "./ports.js";
import { artifactOf, type ExperimentRecord } from "./record.js";
import { isEnded } from "./states.js";
import { cancelExperiment, resumeExperiment } from "./transitions.js";
import { watchExperiment } from "./watch.js";

const MAX_PAGE_SIZE = 1000;
const DEFAULT_PAGE_SIZE = 100;

export interface ExperimentsParts {
  readonly ledger: Ledger;
  readonly dispatcher: Dispatcher;
  readonly store: ExperimentStore;
  readonly feed: EventFeed;
  readonly artifacts: ArtifactStore;
  readonly inspector: Inspector;
  readonly clock: Clock;
  readonly ids: Ids;
  /** Part of the cache keys, see `cacheKey`. */
  readonly codeVersion: string;
}

/** What clients can do with experiments. Every error is a StillhouseError. */
export class Experiments {
  readonly #parts: ExperimentsParts;
  #refusal: StillhouseError | undefined;

  constructor(parts: ExperimentsParts) {
    this.#parts = parts;
  }

  /** From now on every call is refused with this error. */
  refuse(error: StillhouseError): void {
    this.#refusal = error;
  }

  /** Fills in a draft from its preset and from what Python finds. Stores nothing. */
  async resolve(draft: ExperimentSpec): Promise<ResolveExperimentResponse> {
    this.#assertOpen();
    validateDraft(draft);
    const facts = await this.#parts.inspector.describe(draft);
    const { spec, description } = resolveSpec(draft, facts);
    // A plan of something that is not stored has no id; tasks are shown without one.
    const tasks = planTasks(spec, "", this.#parts.codeVersion).map((task) => ({ ...task, id: "" }));
    return { spec, tasks, description };
  }

  /**
   * Stores a resolved spec and queues its tasks. The same request id again gives the experiment of
   * the first call; with another spec it is a CONFLICT.
   *
   * @param reuseAfter results that ended before are not taken; absent: any may be
   */
  create(spec: ExperimentSpec, requestId: string, reuseAfter?: Date): Experiment {
    this.#assertOpen();
    validateSpec(spec);
    const earlier = requestId === "" ? undefined : this.#parts.store.findByRequest(requestId);
    if (earlier) return this.#sameRequest(earlier, spec, requestId);
    const record = this.#plan(spec, reuseAfter);
    this.#parts.ledger.add(record, requestId);
    this.#parts.dispatcher.dispatch();
    return this.get(record.experiment.id).experiment;
  }

  /** The experiment, and the folder of its artifact once that is there. */
  get(experimentId: string): { experiment: Experiment; artifactPath: string } {
    this.#assertOpen();
    const { ledger, artifacts } = this.#parts;
    const record = ledger.record(experimentId);
    const artifactId = artifactOf(record);
    const isThere = artifactId !== undefined && artifacts.exists(artifactId);
    return {
      experiment: ledger.experiment(record),
      artifactPath: isThere ? artifacts.pathOf(artifactId) : "",
    };
  }

  /** Newest first. */
  list(pageSize: number, pageToken: string): ListExperimentsResponse {
    this.#assertOpen();
    if (pageSize > MAX_PAGE_SIZE) {
      throw new StillhouseError(
        FailureKind.FAILURE_KIND_INVALID,
        `page_size must be from 0 to ${MAX_PAGE_SIZE}, got ${pageSize}`,
        { field: "page_size" },
      );
    }
    const { records, nextPageToken } = this.#parts.store.list(
      pageSize || DEFAULT_PAGE_SIZE,
      pageToken,
    );
    return {
      experiments: records.map((record) => this.#parts.ledger.experiment(record)),
      nextPageToken,
    };
  }

  /** See `watchExperiment`. Throws UNAVAILABLE when the control plane stops. */
  watch(
    experimentId: string,
    afterSequence: bigint,
    signal: AbortSignal,
  ): AsyncGenerator<Event, void> {
    this.#assertOpen();
    const { store, feed, clock } = this.#parts;
    const get = (id: string) => this.get(id).experiment;
    const sources = { store, feed, now: () => clock.now(), get };
    return watchExperiment(sources, experimentId, afterSequence, signal);
  }

  /**
   * Cancels what waits and stops what runs after a checkpoint; resolves when nothing runs.
   * Cancelling a cancelled experiment does nothing; one that ended otherwise is a CONFLICT.
   */
  async cancel(experimentId: string): Promise<Experiment> {
    this.#assertOpen();
    const { ledger, dispatcher } = this.#parts;
    const { experiment } = ledger.record(experimentId);
    if (isEnded(experiment.state) && experiment.state !== State.STATE_CANCELLED) {
      throw conflict(`experiment ${experimentId} has already ${pastOf(experiment.state)}`);
    }
    if (!isEnded(experiment.state)) {
      ledger.update(experimentId, cancelExperiment);
      dispatcher.dispatch();
    }
    await this.#ended(experimentId);
    return this.get(experimentId).experiment;
  }

  /**
   * Queues what is not done of a cancelled or failed experiment. One that is unfinished goes on by
   * itself, so nothing happens to it; one that succeeded, or is just being cancelled, is a CONFLICT.
   */
  resume(experimentId: string): Experiment {
    this.#assertOpen();
    const { ledger, dispatcher } = this.#parts;
    const record = ledger.record(experimentId);
    const { state } = record.experiment;
    if (state === State.STATE_SUCCEEDED) {
      throw conflict(`experiment ${experimentId} has already succeeded; nothing is left to do`);
    }
    if (!isEnded(state) && record.cancelRequested) {
      throw conflict(
        `experiment ${experimentId} is being cancelled; resume it when it has stopped`,
      );
    }
    if (isEnded(state)) {
      ledger.update(experimentId, resumeExperiment);
      ledger.reuseResults();
      dispatcher.dispatch();
    }
    return this.get(experimentId).experiment;
  }

  #plan(spec: ExperimentSpec, reuseAfter: Date | undefined): ExperimentRecord {
    const { ids, clock, codeVersion } = this.#parts;
    const id = ids.experiment();
    const tasks = planTasks(spec, id, codeVersion).map((task) => ({ task, numLost: 0 }));
    const experiment = Experiment.fromPartial({
      id,
      spec,
      specHash: specHash(spec),
      state: State.STATE_QUEUED,
      createTime: clock.now(),
      ...(reuseAfter === undefined ? {} : { reuseAfter }),
    });
    return { experiment, tasks, cancelRequested: false };
  }

  #sameRequest(earlier: ExperimentRecord, spec: ExperimentSpec, requestId: string): Experiment {
    const { id, specHash: earlierHash } = earlier.experiment;
    if (earlierHash === specHash(spec)) return this.get(id).experiment;
    throw conflict(
      `request_id ${JSON.stringify(requestId)} made experiment ${id} from another spec; use a new one`,
    );
  }

  async #ended(experimentId: string): Promise<void> {
    const { ledger, feed } = this.#parts;
    const subscription = feed.subscribe(experimentId);
    try {
      while (!isEnded(ledger.record(experimentId).experiment.state)) await subscription.changed();
    } finally {
      subscription.close();
    }
  }

  #assertOpen(): void {
    const refusal = this.#refusal ?? this.#parts.dispatcher.fault;
    if (refusal) throw refusal;
  }
}

function pastOf(state: State): string {
  return state === State.STATE_SUCCEEDED ? "succeeded" : "failed";
}

function conflict(message: string): StillhouseError {
  return new StillhouseError(FailureKind.FAILURE_KIND_CONFLICT, message);
}
