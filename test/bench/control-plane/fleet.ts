import { setTimeout as sleep } from "node:timers/promises";
import { freePort } from "../../fixtures/free-port.js";
import { storeQueued } from "./homes.js";
import { MeasuredPlane } from "./measured-plane.js";
import { SimulatedFleet } from "./simulated-fleet.js";

/** As of real workers under the default timings. */
const HEARTBEAT_INTERVAL_S = 2;
/** The same for every size of a fleet, so that each heartbeat costs what it costs in a busy stream. */
const BEATS_PER_SECOND = 2_500;
const BEATS_S = 10;
const HELLOS_AT_ONCE = 100;
const TASKS_AT_ONCE = 40;
const LOOK_MS = 250;
/** A control plane that takes less of a core than this share for so long has nothing to do. */
const QUIET_MS = 2_000;
const QUIET_SHARE = 0.03;
const LONGEST_QUIET_MS = 120_000;
const MIB = 1024 * 1024;

/** What a fleet costs the control plane, in milliseconds of processor time of all its threads. */
export interface FleetCost {
  /** Of a worker that connects and says hello. */
  readonly helloMs: number;
  readonly heartbeatMs: number;
  /** Of a result that is stored and the next task that is given, heartbeats taken off. */
  readonly taskMs: number;
  /** Of a worker that comes back with its task after a restart of the control plane. */
  readonly rejoinMs: number;
  /** From the restart until all are back. */
  readonly rejoinS: number;
  /** Workers that have another task than before, or none. */
  readonly numLost: number;
  readonly rssMib: number;
}

/** Measures one control plane with so many workers, each of which holds a task in the end. */
export async function measureFleet(numWorkers: number, numTasks: number): Promise<FleetCost> {
  const plane = await MeasuredPlane.start({ workerPort: await freePort() });
  const fleet = new SimulatedFleet(plane.zmqAddress, numWorkers);
  try {
    const { cost: hello } = await costOf(plane, fleet, 0, () => fleet.join(HELLOS_AT_ONCE));
    await fleet.beat(BEATS_PER_SECOND);
    const beating = await costOf(plane, fleet, 0, async () => {
      await sleep(BEATS_S * 1_000);
      await fleet.beat(0);
      await untilQuiet(plane);
    });
    const beat = beating.cost / beating.numBeats;
    await fleet.beat(numWorkers / HEARTBEAT_INTERVAL_S);
    await plane.restart((home) => storeQueued(home, numWorkers + numTasks, 1));
    await untilAll(fleet, numWorkers);
    const tasks = await costOf(plane, fleet, beat, () => fleet.finish(numTasks, TASKS_AT_ONCE));
    const before = await fleet.look();
    await plane.restart();
    const startMs = performance.now();
    const rejoin = await costOf(plane, fleet, beat, () => untilAll(fleet, numWorkers));
    const rejoinS = (performance.now() - startMs) / 1_000;
    return {
      helloMs: hello / numWorkers,
      heartbeatMs: beat,
      taskMs: tasks.cost / numTasks,
      rejoinMs: rejoin.cost / numWorkers,
      rejoinS,
      numLost: await numLost(plane, before.tasks),
      rssMib: Math.round((await plane.usage()).rssBytes / MIB),
    };
  } finally {
    await fleet.close();
    await plane.close();
  }
}

interface Cost {
  /** Processor time in milliseconds, without that of heartbeats. */
  readonly cost: number;
  readonly numBeats: number;
}

/** @param beatMs processor time of a heartbeat, where it is taken off */
async function costOf(
  plane: MeasuredPlane,
  fleet: SimulatedFleet,
  beatMs: number,
  act: () => Promise<unknown>,
): Promise<Cost> {
  const beatsBefore = (await fleet.look()).numBeats;
  const cpuBeforeS = (await plane.usage()).cpuS;
  await act();
  const cpuS = (await plane.usage()).cpuS - cpuBeforeS;
  const numBeats = (await fleet.look()).numBeats - beatsBefore;
  return { cost: cpuS * 1_000 - numBeats * beatMs, numBeats };
}

/** Waits until nothing that was sent is left: on a busy machine that is read late. */
async function untilQuiet(plane: MeasuredPlane): Promise<void> {
  const endMs = performance.now() + LONGEST_QUIET_MS;
  for (let lastS = (await plane.usage()).cpuS; performance.now() < endMs; ) {
    await sleep(QUIET_MS);
    const { cpuS } = await plane.usage();
    if ((cpuS - lastS) * 1_000 < QUIET_SHARE * QUIET_MS) return;
    lastS = cpuS;
  }
}

/** Waits until every worker is welcome and has a task. */
async function untilAll(fleet: SimulatedFleet, numWorkers: number): Promise<void> {
  for (;;) {
    const { numJoined, tasks } = await fleet.look();
    if (numJoined === numWorkers && Object.keys(tasks).length === numWorkers) return;
    await sleep(LOOK_MS);
  }
}

/** How many of the workers do not hold the task any more that they held. */
async function numLost(
  plane: MeasuredPlane,
  tasks: Readonly<Record<string, string>>,
): Promise<number> {
  const workers = await plane.client.workers(1_000);
  const held = new Map(workers.map(({ id, taskId }) => [id, taskId]));
  return Object.entries(tasks).filter(([id, taskId]) => held.get(id) !== taskId).length;
}
