import type { MetricPoint } from "../../../src/generated/stillhouse/v1/experiment.js";
import { storeQueued } from "./homes.js";
import { type BusyWorker, MeasuredPlane } from "./measured-plane.js";

const NAMES = ["outer_loss", "outer_gradient_norm", "inner_lr", "step_seconds"];
/** What a worker gathers in half a second of 250 points: 200 such workers make 50,000 a second. */
const POINTS_A_REPORT = 125;
const SAMPLE_INTERVAL_MS = 250;

export interface Intake {
  readonly numPoints: number;
  readonly pointsPerSecond: number;
  /** Resident memory of the control plane when a tenth was taken in, and its most afterwards. */
  readonly earlyRssBytes: number;
  readonly peakRssBytes: number;
}

/**
 * Every worker sends a report of metric points as soon as its last one is acknowledged, which
 * happens when its points are stored.
 */
export async function measureIntake(numWorkers: number, numPoints: number): Promise<Intake> {
  const prepare = (home: string) => storeQueued(home, numWorkers, 1);
  const plane = await MeasuredPlane.start({ prepare });
  try {
    const workers = await plane.connectWorkers(numWorkers);
    await Promise.all(workers.map((worker) => worker.nextTask()));
    const goal = { left: Math.ceil(numPoints / POINTS_A_REPORT) };
    const numReports = goal.left;
    const samples: { share: number; rssBytes: number }[] = [];
    const sampling = setInterval(async () => {
      const share = 1 - goal.left / numReports;
      samples.push({ share, rssBytes: (await plane.usage()).rssBytes });
    }, SAMPLE_INTERVAL_MS);
    const startMs = performance.now();
    await Promise.all(workers.map((worker) => sendPoints(worker, goal)));
    const seconds = (performance.now() - startMs) / 1000;
    clearInterval(sampling);
    samples.push({ share: 1, rssBytes: (await plane.usage()).rssBytes });
    const early = samples.find(({ share }) => share >= 0.1);
    const late = samples.filter(({ share }) => share >= 0.1).map(({ rssBytes }) => rssBytes);
    return {
      numPoints: numReports * POINTS_A_REPORT,
      pointsPerSecond: (numReports * POINTS_A_REPORT) / seconds,
      earlyRssBytes: early?.rssBytes ?? Number.NaN,
      peakRssBytes: Math.max(...late),
    };
  } finally {
    await plane.close();
  }
}

async function sendPoints(worker: BusyWorker, goal: { left: number }): Promise<void> {
  for (let first = 1; goal.left > 0; first += POINTS_A_REPORT) {
    goal.left--;
    await worker.worker.report(worker.assign, {
      $case: "metrics",
      value: { points: pointsFrom(first) },
    });
    await worker.acknowledged();
  }
}

function pointsFrom(first: number): MetricPoint[] {
  const time = new Date();
  return Array.from({ length: POINTS_A_REPORT }, (_, index) => {
    const step = Math.floor((first + index) / NAMES.length);
    const name = NAMES[(first + index) % NAMES.length] ?? "";
    return { sequence: BigInt(first + index), name, step: BigInt(step), value: 1 / step, time };
  });
}
