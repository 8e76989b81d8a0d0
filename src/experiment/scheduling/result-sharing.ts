import { State, type Task, type TaskResult } from "../../generated/stillhouse/v1/experiment.js";
import type { AwaitingTask, QueueStore } from "../domain/queue-ports.js";
import { type ExperimentRecord, findTask } from "../domain/record.js";
import { alone } from "../domain/storage-fault.js";
import { reuseResults } from "../domain/transitions.js";
import type { Turns } from "../domain/turns.js";
import { isAwaitingResult, type KnownResults } from "./known-results.js";
import type { ReadyTasks } from "./ready-tasks.js";

/** The records of the ledger, as far as results are given to them. */
interface Records {
  /** Undefined also for one that is to be left as it is. */
  findActive(experimentId: string): ExperimentRecord | undefined;
  update(
    experimentId: string,
    transition: (record: ExperimentRecord, now: Date) => ExperimentRecord,
  ): void;
}

/** The results of one cache key that are being given to the tasks that wait for one. */
interface Gift {
  readonly cacheKey: string;
  readonly known: ReturnType<KnownResults["under"]>;
  /** Whose turn is next. */
  next: AwaitingTask | undefined;
}

/**
 * Gives results to all tasks with the same cache key, which would compute the same. Thousands may
 * wait for one: they get it in turns, and none of them starts to compute meanwhile.
 */
export class ResultSharing {
  readonly #known: KnownResults;
  readonly #records: Records;
  readonly #ready: Pick<ReadyTasks, "holdKey" | "releaseKey">;
  readonly #queue: Pick<QueueStore, "nextAwaiting">;
  readonly #gifts: Gift[] = [];

  constructor(
    known: KnownResults,
    records: Records,
    ready: Pick<ReadyTasks, "holdKey" | "releaseKey">,
    queue: Pick<QueueStore, "nextAwaiting">,
  ) {
    this.#queue = queue;
    this.#known = known;
    this.#records = records;
    this.#ready = ready;
  }

  /** Gives the queued tasks of an experiment what others have computed. */
  giveTo(record: ExperimentRecord): void {
    this.#give(record, this.#known.of(record));
  }

  /** If a task has computed its result itself, `giveMore` gives it to all that wait for it. */
  shareResultOf({ state, cacheKey, reused }: Task): void {
    if (state !== State.SUCCEEDED || cacheKey === "" || reused) return;
    const next = this.#queue.nextAwaiting(cacheKey, 0);
    if (next === undefined) return;
    this.#ready.holdKey(cacheKey);
    this.#gifts.push({ cacheKey, known: this.#known.under(cacheKey), next });
  }

  /**
   * Gives new results to the tasks that wait for them, until the turn is over.
   *
   * @returns whether more are left
   * @throws StorageFault; the next call continues with the same task
   */
  giveMore(turn: Turns): boolean {
    for (let gift = this.#gifts[0]; gift; gift = this.#gifts[0]) {
      if (gift.next) {
        this.#giveOne(gift.next, gift);
        gift.next = this.#queue.nextAwaiting(gift.cacheKey, gift.next.number);
      }
      if (gift.next === undefined) {
        this.#gifts.shift();
        this.#ready.releaseKey(gift.cacheKey);
      }
      if (turn.isOver) break;
    }
    return this.#gifts.length > 0;
  }

  #giveOne({ experimentId, taskId }: AwaitingTask, { known }: Gift): void {
    const give = () => {
      const record = this.#records.findActive(experimentId);
      const task = record && findTask(record, taskId)?.task;
      if (record === undefined || task === undefined || !isAwaitingResult(task)) return;
      const result = this.#known.fitting(record.experiment, known);
      if (result !== undefined) this.#give(record, new Map([[taskId, result]]));
    };
    // A task that cannot be given the result computes it itself.
    alone(give, () => undefined);
  }

  #give({ experiment }: ExperimentRecord, results: ReadonlyMap<string, TaskResult>): void {
    if (results.size === 0) return;
    this.#records.update(experiment.id, (record, now) => reuseResults(record, results, now));
  }
}
