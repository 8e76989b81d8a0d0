import { invalid } from "../../errors.js";
import { Experiment, State } from "../../generated/stillhouse/v1/experiment.js";
import {
  ExperimentFilter,
  ExperimentOrder,
  type ListExperimentsRequest,
  type ListExperimentsResponse,
} from "../../generated/stillhouse/v1/service.js";
import { fittedBytes, fittedExperiment } from "../domain/fitted-experiment.js";
import { pageSizeOf } from "../domain/request-checks.js";
import type { EncodedPage, ExperimentQuery, ExperimentStore } from "../domain/storage-ports.js";
import type { Ledger } from "../scheduling/ledger.js";

export interface ExperimentListsParts {
  readonly ledger: Ledger;
  readonly store: Pick<ExperimentStore, "list" | "listEncoded">;
}

/**
 * Lists of experiments: what is stored, page by page, and what waits, in the order of its start.
 */
export class ExperimentLists {
  readonly #parts: ExperimentListsParts;

  constructor(parts: ExperimentListsParts) {
    this.#parts = parts;
  }

  /** A page of the experiments that pass a filter. */
  list(request: ListExperimentsRequest): ListExperimentsResponse {
    if (isQueue(request)) return { experiments: this.#queue(request), nextPageToken: "" };
    const { records, nextPageToken } = this.#parts.store.list(queryOf(request));
    return {
      experiments: records.map((record) => fittedExperiment(this.#parts.ledger.experiment(record))),
      nextPageToken,
    };
  }

  /** As `list`, as bytes: what is stored is handed on without being read. */
  listEncoded(request: ListExperimentsRequest): EncodedPage {
    const { store, ledger } = this.#parts;
    if (isQueue(request)) {
      const queue = this.#queue(request).map((experiment) => {
        return { id: experiment.id, bytes: Experiment.encode(experiment).finish() };
      });
      return { experiments: queue, nextPageToken: "" };
    }
    const page = store.listEncoded(queryOf(request));
    const experiments = page.experiments.map((stored) => {
      // Running tasks have progress that is not stored.
      const running = ledger.findRunning(stored.id);
      if (running === undefined) return stored;
      return { ...stored, bytes: fittedBytes(Experiment.encode(running).finish()) };
    });
    return { ...page, experiments };
  }

  #queue({ filter, pageSize }: ListExperimentsRequest): Experiment[] {
    const { ledger } = this.#parts;
    return ledger
      .waitingRecords(filter?.owner ?? "", pageSizeOf(pageSize))
      .map((record) => ledger.experiment(record));
  }
}

/**
 * Whether the list of experiments that start next is asked for. It has no pages, since it changes
 * with every start.
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
