import { conflict, environment, invalid, type StillhouseError } from "../../errors.js";
import { type Event, type Experiment, State } from "../../generated/stillhouse/v1/experiment.js";
import type {
  CompareExperimentsRequest,
  CompareExperimentsResponse,
  CreateExperimentRequest,
  GetExperimentResponse,
  ListExperimentsRequest,
  ListExperimentsResponse,
  ResolveExperimentRequest,
  ResolveExperimentResponse,
  WatchExperimentRequest,
} from "../../generated/stillhouse/v1/service.js";
import type { ExperimentSpec } from "../../generated/stillhouse/v1/spec.js";
import { clientFoldersOf } from "../../settings/client-folder.js";
import { specHash } from "../../settings/hash.js";
import { validateSpec } from "../../settings/validate.js";
import { compareExperiments } from "../domain/comparison.js";
import { planTasks } from "../domain/plan.js";
import { type PlannerParts, plannedExperiment } from "../domain/planned-experiment.js";
import type { Inspector, RunLog, WorkFolders } from "../domain/ports.js";
import { artifactOf, type ExperimentRecord } from "../domain/record.js";
import { checkPlacement, given } from "../domain/request-checks.js";
import { isEnded } from "../domain/states.js";
import type {
  ArtifactStore,
  ClientFolderStore,
  EncodedPage,
  ExperimentStore,
} from "../domain/storage-ports.js";
import { requireFewTasks } from "../domain/task-limits.js";
import { cancelExperiment, resumeExperiment, retryExperiment } from "../domain/transitions.js";
import type { Dispatcher } from "../scheduling/dispatcher.js";
import type { EventFeed } from "../scheduling/event-feed.js";
import type { Ledger } from "../scheduling/ledger.js";
import { Drafts, type DraftsParts } from "./drafts.js";
import { ExperimentLists } from "./experiment-lists.js";
import { watchExperiment } from "./watch.js";

const MAX_COMPARED = 100;

type WatchRequest = Pick<WatchExperimentRequest, "experimentId" | "afterSequence"> &
  Partial<Pick<WatchExperimentRequest, "storedOnly">>;

export interface ExperimentsParts extends PlannerParts, DraftsParts {
  readonly ledger: Ledger;
  readonly dispatcher: Dispatcher;
  readonly store: ExperimentStore;
  readonly feed: EventFeed;
  readonly artifacts: ArtifactStore;
  readonly folders: Pick<ClientFolderStore, "use">;
  readonly workFolders: WorkFolders;
  readonly runLog: RunLog;
  /** Removes what deleted experiments left in folders. */
  readonly clearLeftovers: () => void;
  readonly inspector: Inspector;
}

/**
 * What clients can do with experiments: requests and answers are those of the protos. Every error
 * is a StillhouseError.
 */
export class Experiments {
  readonly #parts: ExperimentsParts;
  readonly #drafts: Drafts;
  readonly #lists: ExperimentLists;
  #refusal: StillhouseError | undefined;

  constructor(parts: ExperimentsParts) {
    this.#parts = parts;
    this.#drafts = new Drafts(parts);
    this.#lists = new ExperimentLists(parts);
  }

  /** From now on every call is refused with this error, also calls that only read. */
  refuse(error: StillhouseError): void {
    this.#refusal = error;
  }

  /**
   * Fills in a draft from its preset and from what Python finds. Stores nothing.
   *
   * @param mayName throws where the caller may not name a folder of a draft, which an artifact's
   *   manifest may name as well
   */
  async resolve(
    request: ResolveExperimentRequest,
    mayName?: (spec: ExperimentSpec) => void,
  ): Promise<ResolveExperimentResponse> {
    this.assertOpen();
    const { spec, description } = await this.#drafts.resolve(request, mayName);
    // A plan of something that is not stored has no id; tasks are shown without one.
    const tasks = planTasks(spec, "", this.#parts.codeVersion).map((task) => ({ ...task, id: "" }));
    return { spec, tasks, description };
  }

  /**
   * Stores a resolved spec and queues its tasks. The same request id again returns the experiment
   * of the first call; with another spec it is a CONFLICT.
   */
  create(request: CreateExperimentRequest): Experiment {
    this.assertOpen();
    const { requestId, owner } = request;
    const spec = given(request.spec, "spec");
    validateSpec(spec);
    requireFewTasks(spec);
    checkPlacement(request);
    const { store } = this.#parts;
    const earlier = requestId === "" ? undefined : store.findByRequest(requestId, owner);
    if (earlier) return this.#sameRequest(earlier, spec, requestId);
    const record = plannedExperiment(this.#parts, spec, request);
    this.#parts.folders.use(clientFoldersOf(spec), record.experiment.id);
    this.#parts.ledger.add(record, requestId);
    this.#parts.dispatcher.dispatch();
    return this.get(record.experiment.id).experiment;
  }

  /** The experiment, and the folder of its artifact once it exists. */
  get(experimentId: string): GetExperimentResponse & { experiment: Experiment } {
    this.assertAnswering();
    const { ledger, artifacts } = this.#parts;
    const record = ledger.record(experimentId);
    const artifactId = artifactOf(record);
    const isThere = artifactId !== undefined && artifacts.exists(artifactId);
    return {
      experiment: ledger.experiment(record),
      artifactPath: isThere ? artifacts.pathOf(artifactId) : "",
    };
  }

  /** A page of the experiments that pass a filter. */
  list(request: ListExperimentsRequest): ListExperimentsResponse {
    this.assertAnswering();
    return this.#lists.list(request);
  }

  /** As `list`, as bytes: what is stored is handed on without being read. */
  listEncoded(request: ListExperimentsRequest): EncodedPage {
    this.assertAnswering();
    return this.#lists.listEncoded(request);
  }

  /** See `watchExperiment`. Throws UNAVAILABLE when the control plane stops. */
  watch(
    { experimentId, afterSequence, storedOnly = false }: WatchRequest,
    signal: AbortSignal,
  ): AsyncGenerator<Event, void> {
    this.assertAnswering();
    const { store, feed, clock } = this.#parts;
    const get = (id: string) => this.get(id).experiment;
    const sources = { store, feed, now: () => clock.now(), get };
    return watchExperiment(sources, experimentId, afterSequence, signal, storedOnly);
  }

  /**
   * Cancels what waits and stops what runs after a checkpoint; resolves when nothing runs.
   * Cancelling a cancelled experiment does nothing; one that ended otherwise is a CONFLICT.
   */
  async cancel(experimentId: string): Promise<Experiment> {
    this.assertOpen();
    const { ledger, dispatcher } = this.#parts;
    const { experiment } = ledger.record(experimentId);
    if (isEnded(experiment.state) && experiment.state !== State.CANCELLED) {
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
   * Queues the unfinished tasks of a cancelled or failed experiment. An unfinished experiment
   * continues anyway, so it stays as it is; one that succeeded, or is just being cancelled, is a
   * CONFLICT.
   */
  resume(experimentId: string): Experiment {
    return this.#goOn(experimentId, resumeExperiment, () => {});
  }

  /** As `resume`, but what failed or was cancelled starts again, without its checkpoints. */
  retry(experimentId: string): Experiment {
    return this.#goOn(experimentId, retryExperiment, ({ tasks }) => {
      for (const { task } of tasks) {
        if (task.state === State.SUCCEEDED) continue;
        if (!this.#parts.workFolders.remove(task.id)) throw cannotBeginAnew(task.id);
      }
    });
  }

  /**
   * Removes an experiment that has ended, with all that only it uses, also with a full disk. One
   * that is unfinished is a CONFLICT.
   */
  delete(experimentId: string): void {
    this.assertAnswering();
    const { ledger, clearLeftovers, runLog } = this.#parts;
    if (!ledger.isAtRest(experimentId)) {
      throw conflict(`experiment ${experimentId} has not ended; cancel it first`);
    }
    ledger.remove(experimentId);
    clearLeftovers();
    runLog.remove(experimentId);
  }

  /** See `compareExperiments`. Throws INVALID for ids that are too few, too many or repeated. */
  compare({ experimentIds }: CompareExperimentsRequest): CompareExperimentsResponse {
    this.assertAnswering();
    const count = experimentIds.length;
    if (count < 2 || count > MAX_COMPARED) {
      const range = `2 to ${MAX_COMPARED} experiments`;
      throw invalid("experiment_ids", `experiment_ids must name ${range}, got ${count}`);
    }
    if (new Set(experimentIds).size < count) {
      throw invalid("experiment_ids", "experiment_ids must name each experiment once");
    }
    return compareExperiments(experimentIds.map((id) => this.#parts.ledger.record(id).experiment));
  }

  /**
   * @param queue queues it again
   * @param prepare called before that
   */
  #goOn(
    experimentId: string,
    queue: typeof resumeExperiment,
    prepare: (record: ExperimentRecord) => void,
  ): Experiment {
    this.assertOpen();
    const { ledger, dispatcher } = this.#parts;
    const record = ledger.record(experimentId);
    const { state } = record.experiment;
    if (state === State.SUCCEEDED) {
      throw conflict(`experiment ${experimentId} has already succeeded; nothing is left to do`);
    }
    if (!isEnded(state) && record.cancelRequested) {
      throw conflict(
        `experiment ${experimentId} is being cancelled; resume it when it has stopped`,
      );
    }
    if (isEnded(state)) {
      ledger.requireRoom(record.experiment.owner, 1, record.tasks.length);
      prepare(record);
      ledger.update(experimentId, queue);
      ledger.reuseResults(experimentId);
    }
    ledger.release(experimentId);
    dispatcher.dispatch();
    return this.get(experimentId).experiment;
  }

  #sameRequest(earlier: ExperimentRecord, spec: ExperimentSpec, requestId: string): Experiment {
    const { id, specHash: earlierHash } = earlier.experiment;
    if (earlierHash === specHash(spec)) {
      this.#parts.ledger.release(id);
      this.#parts.dispatcher.dispatch();
      return this.get(id).experiment;
    }
    throw conflict(
      `request_id ${JSON.stringify(requestId)} created experiment ${id} from another spec; use a new one`,
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

  /** Why nothing new is taken; undefined while it is. */
  get refusal(): StillhouseError | undefined {
    return this.#refusal ?? this.#parts.dispatcher.fault;
  }

  /** For what changes something: throws the reason why nothing new is taken. */
  assertOpen(): void {
    const { refusal } = this;
    if (refusal) throw refusal;
  }

  /** For what only looks, or makes room: a full disk is no reason to refuse it. */
  assertAnswering(): void {
    if (this.#refusal) throw this.#refusal;
  }
}

function pastOf(state: State): string {
  return state === State.SUCCEEDED ? "succeeded" : "failed";
}

function cannotBeginAnew(taskId: string): StillhouseError {
  return environment(
    `the checkpoints of task ${taskId} cannot be removed at present; try again, or resume it`,
    { retryable: true },
  );
}
