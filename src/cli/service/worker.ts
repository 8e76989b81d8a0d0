import { INTERRUPTED } from "../../errors.js";
import { reportFailure } from "../results/report-failure.js";
import { aborted, type Interruption } from "../terminal/interruption.js";
import type { Terminal } from "../terminal/terminal.js";
import { parseWorkerArguments, type WorkerSettings } from "./worker-arguments.js";

/** A worker process that is kept alive. */
export interface KeptWorker {
  /** Resolves with an exit code when it is not started again. */
  readonly ended: Promise<number>;
  stop(graceMs: number): Promise<void>;
  kill(): void;
}

export interface WorkerSurroundings {
  readonly terminal: Terminal;
  readonly interruption: Interruption;
  readonly home: string;
  readonly dataDir: string | undefined;
  readonly userFolder: string;
  /** The devices of this machine that get a worker each. */
  readonly devices: () => Promise<string[]>;
  readonly keepWorker: (
    settings: WorkerSettings,
    device: string,
    note: (sentence: string) => void,
  ) => KeptWorker;
}

/** Time for a running task to reach a checkpoint. */
const GRACE_MS = 60_000;

/**
 * The command `worker`: one process per device, restarted until the command is ended.
 *
 * @param argv what follows the command's name.
 * @returns the exit code.
 */
export async function runWorker(
  argv: readonly string[],
  surroundings: WorkerSurroundings,
): Promise<number> {
  const { terminal, interruption } = surroundings;
  const note = (sentence: string) => terminal.stderr.write(`${sentence}\n`);
  try {
    const request = parseWorkerArguments(argv, { ...surroundings, columns: terminal.columns });
    if (request.kind === "help") {
      terminal.stdout.write(request.text);
      return 0;
    }
    const devices = request.device === "auto" ? await surroundings.devices() : [request.device];
    const slots = devices.flatMap((device) => Array<string>(request.numProcesses).fill(device));
    const workers = slots.map((device) => surroundings.keepWorker(request, device, note));
    note(`Working for ${request.connect} on ${slots.join(", ")}`);
    return await ended(workers, interruption, note);
  } catch (thrown) {
    return reportFailure(thrown, terminal, { isJson: false });
  }
}

async function ended(
  workers: readonly KeptWorker[],
  { stop, kill }: Interruption,
  note: (sentence: string) => void,
): Promise<number> {
  const stopped = aborted(stop).then(async () => {
    note("Stopping after a checkpoint");
    await Promise.all(workers.map((worker) => worker.stop(GRACE_MS)));
    return 0;
  });
  const killed = aborted(kill).then(() => {
    for (const worker of workers) worker.kill();
    return INTERRUPTED;
  });
  const all = Promise.all(workers.map((worker) => worker.ended));
  const byThemselves = all.then(async (codes) => {
    // Workers that were told to end have been waited for above.
    return stop.aborted ? stopped : Math.max(0, ...codes);
  });
  return Promise.race([killed, stopped, byThemselves]);
}
