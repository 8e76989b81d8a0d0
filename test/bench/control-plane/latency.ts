import { quantile } from "./figures.js";
import { finishedId, storeFinished } from "./homes.js";
import { MeasuredPlane } from "./measured-plane.js";

const PAGE_SIZE = 100;
const WARM_UP_CALLS = 20;

export interface Latency {
  readonly listP99Ms: number;
  readonly getP99Ms: number;
}

/** Time of a call to a control plane that does nothing else, over pages and experiments at random. */
export async function measureLatency(numStored: number, numCalls: number): Promise<Latency> {
  const plane = await MeasuredPlane.start({ prepare: (home) => storeFinished(home, numStored) });
  try {
    const { client } = plane;
    let token = "";
    const list = async () => {
      token = (await client.list(PAGE_SIZE, token)).nextPageToken;
    };
    const get = () => client.get(finishedId(Math.floor(Math.random() * numStored)));
    return { listP99Ms: await p99Of(list, numCalls), getP99Ms: await p99Of(get, numCalls) };
  } finally {
    await plane.close();
  }
}

async function p99Of(call: () => Promise<unknown>, numCalls: number): Promise<number> {
  const timesMs: number[] = [];
  for (let count = -WARM_UP_CALLS; count < numCalls; count++) {
    const startMs = performance.now();
    await call();
    if (count >= 0) timesMs.push(performance.now() - startMs);
  }
  return quantile(timesMs, 0.99);
}
