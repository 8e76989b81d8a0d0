import { baselineSpec, storeQueued } from "../homes.js";
import { PointSender } from "../intake.js";
import { type BusyWorker, MeasuredPlane } from "../measured-plane.js";

/** Metric points from workers that send the next report once the last one is stored. */
export class OwnPoints {
  readonly #plane: MeasuredPlane;
  readonly #senders: readonly PointSender[];

  private constructor(plane: MeasuredPlane, senders: readonly PointSender[]) {
    this.#plane = plane;
    this.#senders = senders;
  }

  static async start(numWorkers: number): Promise<OwnPoints> {
    const prepare = (home: string) => storeQueued(home, numWorkers, 1);
    const plane = await MeasuredPlane.start({ prepare });
    const workers = await plane.connectWorkers(numWorkers);
    await Promise.all(workers.map((worker) => worker.nextTask()));
    const senders = workers.map((worker) => new PointSender(worker));
    return new OwnPoints(plane, senders);
  }

  async perSecond(batch: number, seconds: number): Promise<number> {
    const startMs = performance.now();
    let numSent = 0;
    const goal = (numPoints: number) => {
      if (performance.now() - startMs >= seconds * 1000) return false;
      numSent += numPoints;
      return true;
    };
    await Promise.all(this.#senders.map((sender) => sender.send(batch, goal)));
    return numSent / ((performance.now() - startMs) / 1000);
  }

  close(): Promise<void> {
    return this.#plane.close();
  }
}

/** Experiments of one task that takes no time, submitted one after the other. */
export class OwnJobs {
  readonly #plane: MeasuredPlane;
  #isOpen = true;
  #numSubmitted = 0;

  private constructor(plane: MeasuredPlane, workers: readonly BusyWorker[]) {
    this.#plane = plane;
    for (const worker of workers) void this.#work(worker);
  }

  static async start(numWorkers: number): Promise<OwnJobs> {
    const plane = await MeasuredPlane.start();
    return new OwnJobs(plane, await plane.connectWorkers(numWorkers));
  }

  /** Jobs per second, from the first submission until all have ended. */
  async perSecond(numJobs: number): Promise<number> {
    const { client } = this.#plane;
    const startMs = performance.now();
    const ids: string[] = [];
    for (let count = 0; count < numJobs; count++) {
      ids.push((await client.create(baselineSpec(++this.#numSubmitted, 1), "")).id);
    }
    for (const id of ids) {
      for await (const _ of client.watch(id, 0n)) {
        // The watch ends with the experiment.
      }
    }
    return numJobs / ((performance.now() - startMs) / 1000);
  }

  async close(): Promise<void> {
    this.#isOpen = false;
    await this.#plane.close();
  }

  async #work(worker: BusyWorker): Promise<void> {
    try {
      while (this.#isOpen) {
        await worker.nextTask();
        await worker.finish();
        await worker.acknowledged();
      }
    } catch (error) {
      // The worker's socket is closed with the plane.
      if (this.#isOpen) throw error;
    }
  }
}
