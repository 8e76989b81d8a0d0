import { setTimeout as sleep } from "node:timers/promises";
import { quantile } from "./figures.js";
import { baselineSpec, storeQueued } from "./homes.js";
import { type BusyWorker, MeasuredPlane } from "./measured-plane.js";

const TASKS_PER_EXPERIMENT = 3;
/** Tasks of four seconds on 200 workers end at this rate. */
const TASKS_PER_SECOND = 50;

/** Tasks scheduled per second when every worker takes no time for its task. */
export async function measureThroughput(numWorkers: number, numTasks: number): Promise<number> {
  const numQueued = numTasks + numWorkers;
  const plane = await MeasuredPlane.start({ prepare: (home) => storeTasks(home, numQueued) });
  try {
    const workers = await plane.connectWorkers(numWorkers);
    await Promise.all(workers.map((worker) => worker.nextTask()));
    const goal = { left: numTasks };
    const startMs = performance.now();
    await Promise.all(workers.map((worker) => finishTasks(worker, goal)));
    return numTasks / ((performance.now() - startMs) / 1000);
  } finally {
    await plane.close();
  }
}

async function finishTasks(worker: BusyWorker, goal: { left: number }): Promise<void> {
  while (goal.left > 0) {
    goal.left--;
    await worker.finish();
    await worker.acknowledged();
    await worker.nextTask();
  }
}

export interface DispatchDelay {
  readonly p50Ms: number;
  readonly p99Ms: number;
}

/**
 * Time from a worker's report of a result to its next task, while a number of tasks wait. Tasks end
 * at a steady rate, and a new one is submitted for each that starts.
 */
export async function measureDelay(
  numWorkers: number,
  queueLength: number,
  numSamples: number,
): Promise<DispatchDelay> {
  const numQueued = queueLength + numWorkers;
  const plane = await MeasuredPlane.start({ prepare: (home) => storeTasks(home, numQueued) });
  try {
    const workers = await plane.connectWorkers(numWorkers);
    await Promise.all(workers.map((worker) => worker.nextTask()));
    const delays: Promise<number>[] = [];
    const submitted: Promise<unknown>[] = [];
    const startMs = performance.now();
    for (let index = 0; index < numSamples; index++) {
      const dueMs = startMs + (index * 1000) / TASKS_PER_SECOND;
      await sleep(Math.max(0, dueMs - performance.now()));
      // Where a worker still waits for a task when its turn comes again, so does this loop.
      if (index >= numWorkers) await delays[index - numWorkers];
      delays.push(exchange(workers[index % numWorkers] as BusyWorker));
      if (index % TASKS_PER_EXPERIMENT > 0) continue;
      const spec = baselineSpec(1_000_000 + index, TASKS_PER_EXPERIMENT);
      submitted.push(plane.client.create(spec, ""));
    }
    await Promise.all(submitted);
    const measured = await Promise.all(delays);
    return { p50Ms: quantile(measured, 0.5), p99Ms: quantile(measured, 0.99) };
  } finally {
    await plane.close();
  }
}

async function exchange(worker: BusyWorker): Promise<number> {
  const startMs = performance.now();
  await worker.finish();
  await worker.nextTask();
  const delayMs = performance.now() - startMs;
  await worker.acknowledged();
  return delayMs;
}

function storeTasks(home: string, numTasks: number): Promise<void> {
  return storeQueued(home, Math.ceil(numTasks / TASKS_PER_EXPERIMENT), TASKS_PER_EXPERIMENT);
}
