import { State, type Task, type TaskResult } from "../../generated/stillhouse/v1/experiment.js";
import { type ExperimentRecord, findTask } from "../domain/record.js";
import { alone } from "../domain/storage-fault.js";
import { reuseResults } from "../domain/transitions.js";
import type { Turns } from "../domain/turns.js";
import { AwaitedResults, type Waiting } from "./awaited-results.js";
import { isAwaitingResult, type KnownResults } from "./known-results.js";
import type { ReadyTasks } from "./ready-tasks.js";

/** The records of the ledger, as far as results are given to them. */
interface Records {
  find(experimentId: string): ExperimentRecord | undefined;
  update(
    experimentId: string,
    transition: (record: ExperimentRecord, now: Date) => ExperimentRecord,
  ): void;
}

/** The results of one cache key that are being given to the tasks that wait for one. */
interface Gift {
  readonly cacheKey: string;
  readonly known: ReturnType<KnownResults["under"]>;
  /** Those that have not had their turn. */
  readonly waiting: Waiting[];
}

/**
 * Gives results to all tasks with the same cache key, which would compute the same. Thousands may
 * wait for one: they get it in turns, and none of them starts to compute meanwhile.
 */
export class ResultSharing {
  readonly #known: KnownResults;
  readonly #records: Records;
  readonly #ready: Pick<ReadyTasks, "holdKey" | "releaseKey">;
  readonly #awaited = new AwaitedResults();
  readonly #gifts: Gift[] = [];

  constructor(
    known: KnownResults,
    records: Records,
    ready: Pick<ReadyTasks, "holdKey" | "releaseKey">,
  ) {
    this.#known = known;
    this.#records = records;
    this.#ready = ready;
  }

  /** Call after every change of an experiment. */
  update(record: ExperimentRecord): void {
    this.#awaited.update(record);
  }

  /** Gives the queued tasks of an experiment what others have computed. */
  giveTo(record: ExperimentRecord): void {
    this.#give(record, this.#known.of(record));
  }

  /** If a task has computed its result itself, `giveMore` gives it to all that wait for it. */
  shareResultOf({ state, cacheKey, reused }: Task): void {
    if (state !== State.SUCCEEDED || cacheKey === "" || reused) return;
    const waiting = this.#awaited.of(cacheKey);
    if (waiting.length === 0) return;
    this.#ready.holdKey(cacheKey);
    this.#gifts.push({ cacheKey, known: this.#known.under(cacheKey), waiting: waiting.reverse() });
  }

  /**
   * Gives new results to the tasks that wait for them, until the turn is over.
   *
   * @returns whether more are left
   * @throws StorageFault; the next call continues with the same task
   */
  giveMore(turn: Turns): boolean {
    for (let gift = this.#gifts[0]; gift; gift = this.#gifts[0]) {
      const next = gift.waiting.at(-1);
      if (next) this.#giveOne(next, gift);
      gift.waiting.pop();
      if (gift.waiting.length === 0) {
        this.#gifts.shift();
        this.#ready.releaseKey(gift.cacheKey);
      }
      if (turn.isOver) break;
    }
    return this.#gifts.length > 0;
  }

  #giveOne({ experimentId, taskId }: Waiting, { known }: Gift): void {
    const give = () => {
      const record = this.#records.find(experimentId);
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
