import { quantile } from "./figures.js";
import { finishedId, storeFinished } from "./homes.js";
import { MeasuredPlane } from "./measured-plane.js";

const PAGE_SIZE = 100;
const WARM_UP_CALLS = 20;

/** Percentiles of the time of a call. */
interface Percentiles {
  readonly p50Ms: number;
  readonly p99Ms: number;
}

export interface Latency {
  readonly list: Percentiles;
  readonly get: Percentiles;
}

/** Time of calls to an otherwise idle control plane, for successive pages and random experiments. */
export async function measureLatency(numStored: number, numCalls: number): Promise<Latency> {
  const plane = await MeasuredPlane.start({ prepare: (home) => storeFinished(home, numStored) });
  try {
    const { client } = plane;
    let token = "";
    const list = async () => {
      token = (await client.list(PAGE_SIZE, token)).nextPageToken;
    };
    const get = () => client.get(finishedId(Math.floor(Math.random() * numStored)));
    return { list: await timesOf(list, numCalls), get: await timesOf(get, numCalls) };
  } finally {
    await plane.close();
  }
}

async function timesOf(call: () => Promise<unknown>, numCalls: number): Promise<Percentiles> {
  const timesMs: number[] = [];
  for (let count = -WARM_UP_CALLS; count < numCalls; count++) {
    const startMs = performance.now();
    await call();
    if (count >= 0) timesMs.push(performance.now() - startMs);
  }
  return { p50Ms: quantile(timesMs, 0.5), p99Ms: quantile(timesMs, 0.99) };
}
