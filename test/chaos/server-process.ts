import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import type { Timings } from "../../src/experiment/leases.js";
import { PYTHON } from "../fixtures/tiny.js";
import type { Addresses } from "../integration/test-worker.js";
import type { TcpProxy } from "./tcp-proxy.js";

const PLANE = fileURLToPath(new URL("../fixtures/plane-process.ts", import.meta.url));

/** Short, so that a pause outlives a lease within seconds; a machine under load just about keeps up. */
export const TIMINGS: Partial<Timings> = {
  heartbeatIntervalMs: 200,
  leaseMs: 2_000,
  stopGraceMs: 3_000,
  tickMs: 100,
};

/** The control plane of a home, in a process that may be killed; behind the proxies when it is back. */
export class ServerProcess {
  readonly #home: string;
  readonly #workers: TcpProxy;
  readonly #calls: TcpProxy;
  #child: ChildProcess | undefined;

  /** @param workers proxy for ZeroMQ @param calls proxy for gRPC */
  constructor(home: string, workers: TcpProxy, calls: TcpProxy) {
    this.#home = home;
    this.#workers = workers;
    this.#calls = calls;
  }

  async start(): Promise<void> {
    const options = { home: this.#home, pythonPath: PYTHON, timings: TIMINGS };
    const child = fork(PLANE, [JSON.stringify(options)], {
      execArgv: ["--import", "tsx"],
      stdio: ["ignore", "ignore", "pipe", "ipc"],
    });
    let errors = "";
    child.stderr?.setEncoding("utf8").on("data", (text: string) => {
      errors = (errors + text).slice(-4_000);
    });
    this.#child = child;
    const ended = once(child, "exit").then(([code, signal]) => {
      throw new Error(`the control plane did not start (${code ?? signal}):\n${errors}`);
    });
    const [addresses] = await Promise.race([once(child, "message"), ended]);
    ended.catch(() => undefined);
    const { zmq, grpc } = addresses as Addresses;
    this.#workers.pointTo(portOf(zmq));
    this.#calls.pointTo(portOf(grpc));
  }

  signal(name: "SIGSTOP" | "SIGCONT"): void {
    this.#child?.kill(name);
  }

  /** Resolves when it has ended. */
  async kill(): Promise<void> {
    const child = this.#child;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, "exit");
    child.kill("SIGKILL");
    await ended;
  }
}

function portOf(address: string): number {
  return Number(address.split(":").at(-1));
}
