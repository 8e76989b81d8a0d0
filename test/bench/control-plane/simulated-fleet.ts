import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import type { FleetLook, FleetOrder } from "./fleet-process.js";

const PROCESS = fileURLToPath(new URL("fleet-process.ts", import.meta.url));
const WORKERS_PER_PROCESS = 1_250;

/** Simulated workers in few processes, each with a connection of ZeroMQ of its own. */
export class SimulatedFleet {
  readonly #children: readonly ChildProcess[];

  /** @param address of the control plane, tcp://HOST:PORT */
  constructor(address: string, numWorkers: number) {
    const numProcesses = Math.ceil(numWorkers / WORKERS_PER_PROCESS);
    const startOf = (at: number) => Math.floor((at * numWorkers) / numProcesses);
    this.#children = Array.from({ length: numProcesses }, (_, at) => {
      const count = startOf(at + 1) - startOf(at);
      return fork(PROCESS, [address, String(startOf(at)), String(count)], {
        execArgv: ["--import", "tsx"],
      });
    });
  }

  /** All say hello, so many at a time; resolves when all are welcome. */
  async join(atOnce: number): Promise<void> {
    await this.#tell(({ length }) => ({ kind: "join", atOnce: Math.ceil(atOnce / length) }));
  }

  /** All together send so many heartbeats per second from now on. */
  async beat(perSecond: number): Promise<void> {
    await this.#tell(({ length }) => ({ kind: "beat", perSecond: perSecond / length }));
  }

  /** They finish so many tasks in turns, and get as many others. */
  async finish(numTasks: number, atOnce: number): Promise<void> {
    await this.#tell(({ length }) => ({
      ...{ kind: "finish", numTasks: Math.ceil(numTasks / length) },
      atOnce: Math.ceil(atOnce / length),
    }));
  }

  async look(): Promise<FleetLook> {
    const looks = await this.#tell(() => ({ kind: "look" }));
    const sum = (of: (look: FleetLook) => number) =>
      looks.reduce((total, look) => total + of(look), 0);
    return {
      numJoined: sum(({ numJoined }) => numJoined),
      numBeats: sum(({ numBeats }) => numBeats),
      numFenced: sum(({ numFenced }) => numFenced),
      tasks: Object.assign({}, ...looks.map(({ tasks }) => tasks)),
    };
  }

  async close(): Promise<void> {
    const ended = this.#children.map((child) => once(child, "exit"));
    for (const child of this.#children) child.kill("SIGKILL");
    await Promise.all(ended);
  }

  #tell(order: (children: readonly ChildProcess[]) => FleetOrder): Promise<FleetLook[]> {
    return Promise.all(
      this.#children.map(async (child) => {
        const answer = once(child, "message");
        child.send(order(this.#children));
        return (await answer)[0] as FleetLook;
      }),
    );
  }
}
