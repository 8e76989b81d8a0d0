import { type ChildProcess, execFileSync, fork } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { ControlPlaneOptions } from "../../src/control-plane.js";
import type { Timings } from "../../src/experiment/scheduling/leases.js";
import { sendSignal } from "../fixtures/signals.js";
import { PYTHON } from "../fixtures/tiny.js";
import type { Addresses } from "../integration/test-worker.js";
import type { TcpProxy } from "./tcp-proxy.js";

const PLANE = fileURLToPath(new URL("../fixtures/plane-process.mjs", import.meta.url));

/** So short that a pause outlasts a lease within seconds, and long enough for a busy machine. */
export const TIMINGS: Partial<Timings> = {
  heartbeatIntervalMs: 200,
  leaseMs: 2_000,
  stopGraceMs: 3_000,
  tickMs: 100,
};

/** Limit on the size of the control plane's files while its disk counts as full. */
const FULL_DISK_BYTES = 4_096;

export type ServerOptions = Pick<ControlPlaneOptions, "home" | "numWorkers" | "security">;

/** The control plane of a home, in a process that may be killed; each start is behind the proxies. */
export class ServerProcess {
  readonly #options: ServerOptions;
  readonly #workers: TcpProxy;
  readonly #calls: TcpProxy;
  #child: ChildProcess | undefined;

  /** @param workers proxy for ZeroMQ @param calls proxy for gRPC */
  constructor(options: ServerOptions, workers: TcpProxy, calls: TcpProxy) {
    this.#options = options;
    this.#workers = workers;
    this.#calls = calls;
  }

  async start(): Promise<void> {
    const options = { ...this.#options, pythonPath: PYTHON, timings: TIMINGS };
    const child = fork(PLANE, [JSON.stringify(options)], {
      execArgv: [],
      stdio: ["ignore", "ignore", "pipe", "ipc"],
      // A sum depends on the number of threads, and all workers must compute the same bytes.
      env: { ...process.env, OMP_NUM_THREADS: "1" },
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

  /** Makes its writes fail as on a full disk from now on, or succeed again. */
  fillDisk(isFull: boolean): void {
    const { pid, exitCode, signalCode } = this.#child ?? {};
    if (pid === undefined || exitCode !== null || signalCode !== null) return;
    const limit = isFull ? `${FULL_DISK_BYTES}:unlimited` : "unlimited";
    execFileSync("prlimit", ["--pid", String(pid), `--fsize=${limit}`], { stdio: "ignore" });
  }

  /** Kills one of the workers that it has started itself. @returns whether there was one */
  killOwnWorker(): boolean {
    const worker = this.#ownWorkers()[0];
    if (worker === undefined) return false;
    try {
      sendSignal(worker, "SIGKILL");
    } catch {
      return false; // It has just ended.
    }
    return true;
  }

  #ownWorkers(): number[] {
    const pid = this.#child?.pid;
    if (pid === undefined) return [];
    return childrenOf(pid).filter((child) => commandOf(child).includes("stillhouse_worker worker"));
  }

  /** Resolves once the process has ended. */
  async kill(): Promise<void> {
    const child = this.#child;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, "exit");
    child.kill("SIGKILL");
    await ended;
  }
}

function childrenOf(pid: number): number[] {
  return textOf(`/proc/${pid}/task/${pid}/children`).split(" ").filter(Boolean).map(Number);
}

function commandOf(pid: number): string {
  return textOf(`/proc/${pid}/cmdline`).replaceAll("\0", " ");
}

/** Empty where the process has ended. */
function textOf(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}

function portOf(address: string): number {
  return Number(address.split(":").at(-1));
}
