import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import { inspect } from "node:util";
import type { BusyWorker, MeasuredPlane } from "../bench/control-plane/measured-plane.js";
import { quickSpec } from "../fixtures/experiments.js";
import { CASE_LIMIT_MS } from "./target.js";

/** Ahead of the many tasks that an accepted input may have created. */
const FIRST = { owner: "dutiful", priority: 100 };

/** A worker that does whatever task it is given, and so shows that tasks are still dispatched. */
export class DutifulWorker {
  readonly #plane: MeasuredPlane;
  readonly #worker: BusyWorker;
  #numAsked = 0;

  private constructor(plane: MeasuredPlane, worker: BusyWorker) {
    this.#plane = plane;
    this.#worker = worker;
  }

  static async start(plane: MeasuredPlane): Promise<DutifulWorker> {
    const [worker] = await plane.connectWorkers(1);
    assert.ok(worker);
    const dutiful = new DutifulWorker(plane, worker);
    void dutiful.#work();
    return dutiful;
  }

  /** Fails unless a new experiment is accepted, dispatched and done in time. */
  async showsThatTasksAreDone(): Promise<void> {
    const { client } = this.#plane;
    const seed = this.#numAsked++;
    const request = `dutiful ${seed}`;
    const { id } = await client.create(quickSpec(seed), request, undefined, FIRST);
    const limit = sleep(CASE_LIMIT_MS, false, { ref: false });
    const isDone = await Promise.race([this.#ended(id).then(() => true), limit]);
    if (!isDone) assert.fail(await this.#account(id));
    await client.delete(id);
  }

  async #ended(id: string): Promise<void> {
    for await (const _ of this.#plane.client.watch(id, 0n)) {
      // The watch ends with the experiment.
    }
  }

  async #work(): Promise<void> {
    for (;;) {
      await this.#worker.nextTask();
      await this.#worker.finish();
      await this.#worker.acknowledged();
    }
  }

  async #account(id: string): Promise<string> {
    const { experiment } = await this.#plane.client.get(id);
    const workers = await this.#plane.client.workers();
    const states = experiment.tasks.map(
      (task) => `${task.id} ${task.state} ${task.failure?.message ?? ""}`,
    );
    return `the task of another owner is no longer done: ${inspect({ states, workers }, { depth: 4 })}`;
  }
}
