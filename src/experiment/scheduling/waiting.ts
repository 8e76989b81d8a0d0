import { State } from "../../generated/stillhouse/v1/experiment.js";
import { ExperimentFilter, ExperimentOrder } from "../../generated/stillhouse/v1/service.js";
import type { ExperimentRecord } from "../domain/record.js";
import type { ExperimentStore } from "../domain/storage-ports.js";
import type { ReadyTasks } from "./ready-tasks.js";

const PAGE_SIZE = 100;

interface Sources {
  readonly store: Pick<ExperimentStore, "list" | "queue">;
  readonly ready: Pick<ReadyTasks, "startOrder">;
  /** The experiment where it can be seen. */
  readonly find: (experimentId: string) => ExperimentRecord | undefined;
}

/**
 * Experiments of which no task has started: those with a ready task in the order in which they will
 * start, then those that wait for others by age.
 *
 * @param owner whose they are; empty for all
 * @param count how many at most
 */
export function waitingOf(sources: Sources, owner: string, count: number): ExperimentRecord[] {
  const found = new Map<string, ExperimentRecord>();
  for (const id of idsInOrder(sources, owner)) {
    if (found.size >= count) break;
    if (found.has(id)) continue;
    const record = sources.find(id);
    if (record?.experiment.state === State.QUEUED) found.set(id, record);
  }
  return [...found.values()];
}

function* idsInOrder({ store, ready }: Sources, owner: string): Generator<string, void> {
  for (const { experimentId, owner: of } of ready.startOrder()) {
    if (owner !== "" && of !== owner) continue;
    // Those of which a task has started may be many, and are not read.
    if (store.queue.standingOf(experimentId)?.state === State.QUEUED) yield experimentId;
  }
  const filter = ExperimentFilter.fromPartial({ states: [State.QUEUED], owner });
  const query = { filter, order: ExperimentOrder.OLDEST_FIRST, pageSize: PAGE_SIZE };
  for (let pageToken = ""; ; ) {
    const page = store.list({ ...query, pageToken });
    for (const { experiment } of page.records) yield experiment.id;
    pageToken = page.nextPageToken;
    if (pageToken === "") return;
  }
}
