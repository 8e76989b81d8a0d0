import type { Experiment } from "../../generated/stillhouse/v1/experiment.js";
import { MIB } from "../../settings/memory.js";
import { computeNeeds } from "../domain/compute-needs.js";
import type { DeviceNeeds } from "./device-needs.js";

/** A task that is ready to start. */
export interface ReadyTask extends DeviceNeeds {
  readonly taskId: string;
  readonly experimentId: string;
  /** Memory that it is given on each of its devices. */
  readonly memoryBytes: number;
}

/** A task that waits for a worker, or has one. */
export interface Entry extends ReadyTask {
  readonly cacheKey: string;
  readonly owner: string;
  readonly priority: number;
  readonly numLost: number;
  /** The place of its experiment among all, and its place in the experiment. */
  readonly place: readonly [experiment: number, position: number];
  /**
   * `parked` while another task with its cache key runs, `held` for a while after a lost attempt,
   * `limited` while its experiment waits for its turn in a sweep, `gone` when none of these applies
   * any more.
   */
  status: "running" | "ready" | "parked" | "held" | "limited" | "gone";
  /** Since when devices that could hold it are too full, on the monotonic clock. */
  tooLargeSinceMs: number | undefined;
}

/** Sizes of memory between one and its double that have a lane each. */
const LANES_PER_DOUBLING = 4;

/** What each task of an experiment is given of its device. */
export function memoryBytesOf({ spec }: Experiment): number {
  return computeNeeds(spec).memoryMib * MIB;
}

/** The same for what needs about the same memory: few, however many tasks there are. */
export function sizeOf({ memoryBytes }: ReadyTask): number {
  return memoryBytes === 0 ? 0 : Math.ceil(LANES_PER_DOUBLING * Math.log2(memoryBytes));
}

/** The most that tasks of this size need, in whole MiB. */
export function roundedMemoryBytes(task: ReadyTask): number {
  if (task.memoryBytes === 0) return 0;
  return MIB * Math.ceil(2 ** (sizeOf(task) / LANES_PER_DOUBLING) / MIB);
}

/** What came first goes first. */
export function byPlace(a: Entry, b: Entry): number {
  return a.place[0] - b.place[0] || a.place[1] - b.place[1];
}
