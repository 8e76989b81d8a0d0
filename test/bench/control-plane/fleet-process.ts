import { setTimeout as sleep } from "node:timers/promises";
import { Context } from "zeromq";
import { SimulatedWorker } from "./simulated-worker.js";

// A process of a fleet. Its arguments are the address for workers, the number of its first worker
// and how many it has. It answers every order with a message.

/** What a process of a fleet is told. */
export type FleetOrder =
  /** All say hello, `atOnce` of them at a time. */
  | { readonly kind: "join"; readonly atOnce: number }
  /** From now on, all together. */
  | { readonly kind: "beat"; readonly perSecond: number }
  /** So many tasks in turns, `atOnce` of them at a time. */
  | { readonly kind: "finish"; readonly numTasks: number; readonly atOnce: number }
  | { readonly kind: "look" };

/** How its workers are. */
export interface FleetLook {
  readonly numJoined: number;
  /** Heartbeats that were sent. */
  readonly numBeats: number;
  /** How often one was told that its task is not its own. */
  readonly numFenced: number;
  /** By the id of the worker; those that have one. */
  readonly tasks: Readonly<Record<string, string>>;
}

const BEAT_TICK_MS = 20;

const [address = "", first = "0", count = "0"] = process.argv.slice(2);
const context = new Context({ maxSockets: Number(count) + 16 });
const workers = Array.from(
  { length: Number(count) },
  (_, at) => new SimulatedWorker(context, address, Number(first) + at),
);
let numBeats = 0;
let beatsPerTick = 0;

async function join(atOnce: number): Promise<void> {
  const left = workers.values();
  await lanes(atOnce, async () => {
    for (const worker of left) await worker.join();
  });
}

/** Each worker is of one lane, so that it finishes one task after the other. */
async function finish(numTasks: number, atOnce: number): Promise<void> {
  const numLanes = Math.min(atOnce, workers.length);
  let numLeft = numTasks;
  await lanes(numLanes, async (lane) => {
    for (let at = lane; numLeft > 0; at = at + numLanes < workers.length ? at + numLanes : lane) {
      numLeft--;
      await workers[at]?.finish();
    }
  });
}

async function lanes(count: number, act: (lane: number) => Promise<void>): Promise<void> {
  await Promise.all(Array.from({ length: count }, (_, lane) => act(lane)));
}

async function beat(): Promise<void> {
  let due = 0;
  let next = 0;
  for (let lastMs = performance.now(); ; ) {
    await sleep(BEAT_TICK_MS);
    const nowMs = performance.now();
    due += (beatsPerTick * (nowMs - lastMs)) / BEAT_TICK_MS;
    lastMs = nowMs;
    for (; due >= 1; due--) {
      const worker = workers[next++ % workers.length];
      if (!worker?.hasJoined) continue;
      numBeats++;
      void worker.heartbeat();
    }
  }
}

function look(): FleetLook {
  const held = workers.filter(({ taskId }) => taskId !== "");
  return {
    numJoined: workers.filter(({ hasJoined }) => hasJoined).length,
    numBeats,
    numFenced: workers.reduce((sum, { numFenced }) => sum + numFenced, 0),
    tasks: Object.fromEntries(held.map(({ id, taskId }) => [id, taskId])),
  };
}

async function obey(order: FleetOrder): Promise<FleetLook> {
  if (order.kind === "join") await join(order.atOnce);
  if (order.kind === "finish") await finish(order.numTasks, order.atOnce);
  if (order.kind === "beat") beatsPerTick = (order.perSecond * BEAT_TICK_MS) / 1_000;
  return look();
}

process.on("message", (order: FleetOrder) => {
  void obey(order).then((answer) => process.send?.(answer));
});
process.on("disconnect", () => process.exit(0));
void beat();
