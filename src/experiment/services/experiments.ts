import { conflict, environment, invalid, notFound, type StillhouseError } from "../../errors.js";
import { type Event, Experiment, State } from "../../generated/stillhouse/v1/experiment.js";
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
import { ExperimentFilter, ExperimentOrder } from "../../generated/stillhouse/v1/service.js";
import { type ExperimentSpec, ModelSpec } from "../../generated/stillhouse/v1/spec.js";
import { withDatasetPath } from "../../settings/dataset-path.js";
import type { Facts } from "../../settings/facts.js";
import { specHash } from "../../settings/hash.js";
import { resolveSpec } from "../../settings/resolve.js";
import { validateDraft, validateSpec } from "../../settings/validate.js";
import { draftOfArtifact } from "../domain/artifact-draft.js";
import { compareExperiments } from "../domain/comparison.js";
import { fittedBytes, fittedExperiment } from "../domain/fitted-experiment.js";
import { planTasks } from "../domain/plan.js";
import { type PlannerParts, plannedExperiment } from "../domain/planned-experiment.js";
import type {
  ArtifactStore,
  EncodedPage,
  ExperimentQuery,
  ExperimentStore,
  Inspector,
  RunLog,
  WorkFolders,
} from "../domain/ports.js";
import { artifactOf, type ExperimentRecord, withTasks } from "../domain/record.js";
import { checkPlacement, given, pageSizeOf } from "../domain/request-checks.js";
import { isEnded } from "../domain/states.js";
import { requireFewTasks } from "../domain/task-limits.js";
import { cancelExperiment, resumeExperiment } from "../domain/transitions.js";
import type { Dispatcher } from "../scheduling/dispatcher.js";
import type { EventFeed } from "../scheduling/event-feed.js";
import type { Ledger } from "../scheduling/ledger.js";
import { watchExperiment } from "./watch.js";

const MAX_COMPARED = 100;

type WatchRequest = Pick<WatchExperimentRequest, "experimentId" | "afterSequence"> &
  Partial<Pick<WatchExperimentRequest, "storedOnly">>;

export interface ExperimentsParts extends PlannerParts {
  readonly ledger: Ledger;
  readonly dispatcher: Dispatcher;
  readonly store: ExperimentStore;
  readonly feed: EventFeed;
  readonly artifacts: ArtifactStore;
  readonly workFolders: WorkFolders;
  readonly runLog: RunLog;
  /** Removes what experiments that are no more left in folders. */
  readonly clearLeftovers: () => void;
  readonly inspector: Inspector;
}

/**
 * What clients can do with experiments: requests and answers are those of the protos. Every error
 * is a StillhouseError.
 */
export class Experiments {
  readonly #parts: ExperimentsParts;
  #refusal: StillhouseError | undefined;

  constructor(parts: ExperimentsParts) {
    this.#parts = parts;
  }

  /** From now on every call is refused with this error, also those that only look. */
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
    const draft = given(request.draft, "draft");
    const named = draft.robustness === undefined ? draft : await this.#ofArtifact(draft);
    const own = withDatasetPath(named);
    validateDraft(own);
    mayName?.(own);
    const facts = await this.#parts.inspector.describe(own);
    const transfers = await this.#describeTransfers(own);
    const { spec, description } = resolveSpec(own, facts, transfers);
    requireFewTasks(spec);
    // A plan of something that is not stored has no id; tasks are shown without one.
    const tasks = planTasks(spec, "", this.#parts.codeVersion).map((task) => ({ ...task, id: "" }));
    return { spec, tasks, description };
  }

  /**
   * Stores a resolved spec and queues its tasks. The same request id again gives the experiment of
   * the first call; with another spec it is a CONFLICT.
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
    this.#parts.ledger.add(record, requestId);
    this.#parts.dispatcher.dispatch();
    return this.get(record.experiment.id).experiment;
  }

  /** The experiment, and the folder of its artifact once that is there. */
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
    if (isQueue(request)) return { experiments: this.#queue(request), nextPageToken: "" };
    const { records, nextPageToken } = this.#parts.store.list(queryOf(request));
    return {
      experiments: records.map((record) => fittedExperiment(this.#parts.ledger.experiment(record))),
      nextPageToken,
    };
  }

  /** As `list`, as bytes: what is stored is handed on without being read. */
  listEncoded(request: ListExperimentsRequest): EncodedPage {
    this.assertAnswering();
    const { store, ledger } = this.#parts;
    if (isQueue(request)) {
      const queue = this.#queue(request).map((experiment) => {
        return { id: experiment.id, bytes: Experiment.encode(experiment).finish() };
      });
      return { experiments: queue, nextPageToken: "" };
    }
    const page = store.listEncoded(queryOf(request));
    const experiments = page.experiments.map((stored) => {
      // What runs has progress that is not stored.
      const unfinished = ledger.findUnfinished(stored.id);
      if (unfinished === undefined) return stored;
      return { ...stored, bytes: fittedBytes(Experiment.encode(unfinished).finish()) };
    });
    return { ...page, experiments };
  }

  #queue({ filter, pageSize }: ListExperimentsRequest): Experiment[] {
    const { ledger } = this.#parts;
    const owner = filter?.owner ?? "";
    return ledger
      .waiting()
      .filter(({ experiment }) => owner === "" || experiment.owner === owner)
      .slice(0, pageSizeOf(pageSize))
      .map((record) => ledger.experiment(record));
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
   * Queues what is not done of a cancelled or failed experiment. One that is unfinished goes on by
   * itself, so nothing happens to it; one that succeeded, or is just being cancelled, is a CONFLICT.
   */
  resume(experimentId: string): Experiment {
    return this.#goOn(experimentId, () => {});
  }

  /** As `resume`, but what failed or was cancelled begins anew, without its checkpoints. */
  retry(experimentId: string): Experiment {
    return this.#goOn(experimentId, ({ tasks }) => {
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
    return compareExperiments(experimentIds.map((id) => withTasks(this.#parts.ledger.record(id))));
  }

  /** @param prepare called before the experiment is queued again */
  #goOn(experimentId: string, prepare: (record: ExperimentRecord) => void): Experiment {
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
      ledger.update(experimentId, resumeExperiment);
      ledger.reuseResults(experimentId);
    }
    ledger.release(experimentId);
    dispatcher.dispatch();
    return this.get(experimentId).experiment;
  }

  /** The draft with the settings of the artifact that it evaluates, which an experiment may stand for. */
  #ofArtifact(draft: ExperimentSpec): Promise<ExperimentSpec> {
    const { artifacts, ledger } = this.#parts;
    const named = draft.robustness?.artifactId ?? "";
    if (named !== "" && artifacts.exists(named)) return draftOfArtifact(artifacts, named, draft);
    const artifactId = artifactOf(ledger.record(named));
    if (artifactId !== undefined && artifacts.exists(artifactId)) {
      return draftOfArtifact(artifacts, artifactId, draft);
    }
    throw notFound(`experiment ${named} has no distilled data`, {
      field: "robustness.artifact_id",
    });
  }

  async #describeTransfers(draft: ExperimentSpec): Promise<Facts["model"][]> {
    const found = [];
    for (const { name } of draft.robustness?.transferTo ?? []) {
      const model = ModelSpec.fromPartial({ name });
      found.push((await this.#parts.inspector.describe({ ...draft, model })).model);
    }
    return found;
  }

  #sameRequest(earlier: ExperimentRecord, spec: ExperimentSpec, requestId: string): Experiment {
    const { id, specHash: earlierHash } = earlier.experiment;
    if (earlierHash === specHash(spec)) {
      this.#parts.ledger.release(id);
      this.#parts.dispatcher.dispatch();
      return this.get(id).experiment;
    }
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

/**
 * Whether the first that will start are asked for. What changes with every start has no pages.
 *
 * @throws StillhouseError INVALID with a page token or another filter than an owner
 */
function isQueue({ order, pageToken, filter }: ListExperimentsRequest): boolean {
  if (order !== ExperimentOrder.NEXT_FIRST) return false;
  const { states, owner: _, ...others } = filter ?? ExperimentFilter.fromPartial({});
  const isOther = states.some((state) => state !== State.QUEUED);
  if (!isOther && pageToken === "" && Object.values(others).every((value) => value === "")) {
    return true;
  }
  throw invalid(
    "order",
    "EXPERIMENT_ORDER_NEXT_FIRST lists what waits, on one page: with it, filter by owner alone",
  );
}

function queryOf({ pageSize, pageToken, filter, order }: ListExperimentsRequest): ExperimentQuery {
  const isUnset = order === ExperimentOrder.UNSPECIFIED;
  return {
    filter: filter ?? ExperimentFilter.fromPartial({}),
    order: isUnset ? ExperimentOrder.NEWEST_FIRST : order,
    pageSize: pageSizeOf(pageSize),
    pageToken,
  };
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
