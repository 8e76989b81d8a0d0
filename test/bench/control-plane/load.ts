import { storeSharded } from "./homes.js";
import { MeasuredPlane } from "./measured-plane.js";

export interface Load {
  /** Until all is stored, without waiting for the disk. */
  readonly createS: number;
  /** From the start of the process until it answers. */
  readonly startS: number;
  /** Longest time in which the control plane took no call, timer or signal, meanwhile. */
  readonly longestBlockMs: number;
  readonly rssBytes: number;
}

/** Starts a control plane on a home in which so many experiments of a task and shards wait. */
export async function measureLoad(numExperiments: number, numShards: number): Promise<Load> {
  let createdMs = 0;
  const beganMs = performance.now();
  const prepare = (home: string) => {
    storeSharded(home, numExperiments, numShards);
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
