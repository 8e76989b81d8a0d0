import { storeSharded } from "./homes.js";
import { MeasuredPlane } from "./measured-plane.js";

export interface Load {
  /** Time to store all experiments, without waiting for the disk. */
  readonly createS: number;
  /** Time from the start of the process until it answers. */
  readonly startS: number;
  /** Longest time in which the control plane handled no call, timer or signal meanwhile. */
  readonly longestBlockMs: number;
  readonly rssBytes: number;
}

/** Starts a control plane on a home with waiting experiments, each a task and its shards. */
export async function measureLoad(numExperiments: number, numShards: number): Promise<Load> {
  let createdMs = 0;
  const beganMs = performance.now();
  const prepare = async (home: string) => {
    await storeSharded(home, numExperiments, numShards);
    createdMs = performance.now();
  };
  const plane = await MeasuredPlane.start({ prepare });
  try {
    const startS = (performance.now() - createdMs) / 1000;
    const { longestBlockMs, rssBytes } = await plane.usage();
    return { createS: (createdMs - beganMs) / 1000, startS, longestBlockMs, rssBytes };
  } finally {
    await plane.close();
  }
}
