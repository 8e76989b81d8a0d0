import { State } from "../../../src/generated/stillhouse/v1/experiment.js";
import {
  type ExperimentFilter,
  ExperimentOrder,
} from "../../../src/generated/stillhouse/v1/service.js";
import { quantile } from "./figures.js";
import { MeasuredPlane } from "./measured-plane.js";
import { numUnfinished, storeMillion } from "./million-home.js";

const PAGE_SIZE = 100;
const WARM_UP_CALLS = 20;
const UNFINISHED = [State.QUEUED, State.RUNNING];

/** A list that a person looks at. */
type Listing = "newest" | "unfinished" | "ofOwner" | "next";

export interface Million {
  readonly numUnfinished: number;
  readonly createS: number;
  /** Time from the start of the process until it answers. */
  readonly startS: number;
  /** Processor time until then. */
  readonly startCpuS: number;
  readonly longestBlockMs: number;
  /** After all calls. */
  readonly rssBytes: number;
  /** Processor time of a page, over all lists. */
  readonly pageCpuMs: number;
  /** The 99th percentile of the time of a page, for each list. */
  readonly listP99Ms: Readonly<Record<Listing, number>>;
}

/** Starts a control plane on a home with this many experiments, one of five unfinished. */
export async function measureMillion(count: number, numCalls: number): Promise<Million> {
  const beganMs = performance.now();
  let createdMs = 0;
  const prepare = async (home: string) => {
    await storeMillion(home, count);
    createdMs = performance.now();
  };
  const plane = await MeasuredPlane.start({ prepare });
  try {
    const startS = (performance.now() - createdMs) / 1_000;
    const { longestBlockMs, cpuS: startCpuS } = await plane.usage();
    const listP99Ms = {
      newest: await p99Of(plane, {}, ExperimentOrder.NEWEST_FIRST, numCalls),
      unfinished: await p99Of(
        plane,
        { states: UNFINISHED },
        ExperimentOrder.NEWEST_FIRST,
        numCalls,
      ),
      ofOwner: await p99Of(plane, { owner: "owner0" }, ExperimentOrder.NEWEST_FIRST, numCalls),
      next: await p99Of(plane, {}, ExperimentOrder.NEXT_FIRST, numCalls),
    };
    const { rssBytes, cpuS } = await plane.usage();
    const numPages = Object.keys(listP99Ms).length * (numCalls + WARM_UP_CALLS);
    const pageCpuMs = (1_000 * (cpuS - startCpuS)) / numPages;
    const createS = (createdMs - beganMs) / 1_000;
    return {
      ...{ numUnfinished: numUnfinished(count), createS, startS, startCpuS },
      ...{ longestBlockMs, rssBytes, listP99Ms, pageCpuMs },
    };
  } finally {
    await plane.close();
  }
}

/** Page after page of a list, from its first again where it ends. */
async function p99Of(
  { client }: MeasuredPlane,
  filter: Partial<ExperimentFilter>,
  order: ExperimentOrder,
  numCalls: number,
): Promise<number> {
  const timesMs: number[] = [];
  let pageToken = "";
  for (let call = -WARM_UP_CALLS; call < numCalls; call++) {
    const startMs = performance.now();
    const page = await client.list(PAGE_SIZE, pageToken, filter, order);
    if (call >= 0) timesMs.push(performance.now() - startMs);
    if (page.experiments.length === 0) throw new Error("a page of the list is empty");
    pageToken = page.nextPageToken;
  }
  return quantile(timesMs, 0.99);
}
