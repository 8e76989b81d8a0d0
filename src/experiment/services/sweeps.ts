import { conflict, invalid, noSuch } from "../../errors.js";
import type {
  CreateSweepRequest,
  CreateSweepResponse,
  GetSweepRequest,
  GetSweepResponse,
  ListSweepsRequest,
  ListSweepsResponse,
} from "../../generated/stillhouse/v1/service.js";
import { Sweep } from "../../generated/stillhouse/v1/service.js";
import { clientFoldersOf } from "../../settings/client-folder.js";
import { specHash } from "../../settings/hash.js";
import { validateSpec } from "../../settings/validate.js";
import { type PlannerParts, plannedExperiment } from "../domain/planned-experiment.js";
import type { ExperimentRecord } from "../domain/record.js";
import { checkName, checkPlacement, pageSizeOf } from "../domain/request-checks.js";
import type { ClientFolderStore, SweepStore } from "../domain/storage-ports.js";
import { requireFewTasksInAll } from "../domain/task-limits.js";
import { Turns } from "../domain/turns.js";
import type { Dispatcher } from "../scheduling/dispatcher.js";
import type { Ledger } from "../scheduling/ledger.js";
import type { ReadyTasks } from "../scheduling/ready-tasks.js";

const MAX_SPECS = 10_000;

export interface SweepsParts extends PlannerParts {
  readonly ledger: Ledger;
  readonly dispatcher: Dispatcher;
  readonly ready: Pick<ReadyTasks, "applySweepLimit">;
  readonly sweeps: SweepStore;
  readonly folders: Pick<ClientFolderStore, "use">;
  /** Throws where nothing is answered any more. */
  readonly assertAnswering: () => void;
  /** Throws where nothing new is taken. */
  readonly assertOpen: () => void;
}

/** The operations on groups of experiments. */
export class Sweeps {
  readonly #parts: SweepsParts;
  #creating: Promise<void> = Promise.resolve();

  constructor(parts: SweepsParts) {
    this.#parts = parts;
  }

  /**
   * Stores all experiments of a sweep at once, then queues them. The same request id again returns
   * the sweep of the first call, which continues with the limit of this one; with other specs it is
   * a CONFLICT.
   */
  create(request: CreateSweepRequest): Promise<CreateSweepResponse> {
    // A repeat that comes while the first call is still at it has to find what that one makes.
    const created = this.#creating.then(() => this.#create(request));
    this.#creating = created.then(
      () => undefined,
      () => undefined,
    );
    return created;
  }

  async #create(request: CreateSweepRequest): Promise<CreateSweepResponse> {
    const { assertOpen, sweeps, ledger, dispatcher, clock } = this.#parts;
    assertOpen();
    const numTasks = await checkRequest(request, new Turns(() => clock.monotonicMs()));
    const { requestId, specs, owner } = request;
    const earlier = requestId === "" ? undefined : sweeps.findSweepByRequest(requestId, owner);
    if (earlier) return this.#again(earlier, request);
    const sweep = this.#planned(request);
    const more = { experiments: specs.length, tasks: numTasks };
    await ledger.addSweep(owner, more, this.#experimentsOf(sweep, request), () =>
      sweeps.createSweep(sweep, requestId),
    );
    dispatcher.dispatch();
    return this.get({ sweepId: sweep.id });
  }

  /** One by one; ends with an error where nothing is taken any more. */
  *#experimentsOf(sweep: Sweep, request: CreateSweepRequest): Generator<ExperimentRecord, void> {
    for (const spec of request.specs) {
      this.#parts.assertOpen();
      const record = plannedExperiment(this.#parts, spec, { ...request, sweepId: sweep.id });
      this.#parts.folders.use(clientFoldersOf(spec), record.experiment.id);
      yield record;
    }
  }

  /** Throws NOT_FOUND. */
  get({ sweepId }: GetSweepRequest): GetSweepResponse {
    this.#parts.assertAnswering();
    const sweep = this.#parts.sweeps.findSweep(sweepId);
    if (sweep) return { sweep };
    throw noSuch("sweep", sweepId);
  }

  /** Newest first. */
  list({ pageSize, pageToken }: ListSweepsRequest): ListSweepsResponse {
    this.#parts.assertAnswering();
    return this.#parts.sweeps.listSweeps(pageSizeOf(pageSize), pageToken);
  }

  #planned({ name, owner, maxParallel }: CreateSweepRequest): Sweep {
    const { ids, clock } = this.#parts;
    const createTime = clock.now();
    return Sweep.fromPartial({ id: ids.experiment(), name, owner, maxParallel, createTime });
  }

  #again(earlier: Sweep, request: CreateSweepRequest): CreateSweepResponse {
    this.#checkSame(earlier, request);
    const { sweeps, ready, ledger, dispatcher } = this.#parts;
    const { maxParallel } = request;
    if (maxParallel !== earlier.maxParallel) {
      sweeps.updateSweep({ ...earlier, maxParallel });
      ready.applySweepLimit(earlier.id);
    }
    for (const id of earlier.experimentIds) ledger.release(id);
    dispatcher.dispatch();
    return this.get({ sweepId: earlier.id });
  }

  /** Experiments of the sweep that were removed since are not compared. */
  #checkSame(earlier: Sweep, { requestId, specs }: CreateSweepRequest): void {
    const wanted = new Set(specs.map(specHash));
    const isWanted = (id: string) => wanted.has(this.#parts.ledger.record(id).experiment.specHash);
    const { experimentIds } = earlier;
    if (experimentIds.length <= specs.length && experimentIds.every(isWanted)) return;
    throw conflict(
      `request_id ${JSON.stringify(requestId)} created sweep ${earlier.id} from other specs; use a new one`,
    );
  }
}

/** @returns how many tasks it makes */
async function checkRequest(request: CreateSweepRequest, turns: Turns): Promise<number> {
  const { specs } = request;
  if (specs.length < 1 || specs.length > MAX_SPECS) {
    throw invalid("specs", `specs must be 1 to ${MAX_SPECS} resolved specs, got ${specs.length}`);
  }
  checkName(request.name);
  checkPlacement(request);
  for (const spec of specs) {
    validateSpec(spec);
    await turns.next();
  }
  return requireFewTasksInAll(specs);
}
