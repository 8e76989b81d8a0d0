import { INTERRUPTED } from "../../errors.js";
import { isNearlyFull } from "../../security/connection-limits.js";
import { addressesFor } from "../../security/network.js";
import { formatCount } from "../../text/format.js";
import { reportFailure } from "../results/report-failure.js";
import { aborted, type Interruption } from "../terminal/interruption.js";
import type { Terminal } from "../terminal/terminal.js";
import { parseServeArguments, type ServeSettings } from "./serve-arguments.js";

/** A running control plane. */
export interface Server {
  /** Where gRPC answers, HOST:PORT. */
  readonly address: string;
  /** Where workers connect, tcp://HOST:PORT. */
  readonly workerAddress: string;
  /** Where HTTP answers and the dashboard is, http://HOST:PORT. */
  readonly httpAddress: string;
  /** Files that it may have open, and how many workers may be connected with them. */
  readonly capacity: { readonly openFiles: number; readonly workers: number };
  /** Resolves when the home can no longer be written and waiting does not help. */
  readonly broken: Promise<Error>;
  /** Stops what runs after a checkpoint; what has not stopped by then is ended. */
  stop(withinMs: number): Promise<void>;
  /** Ends all processes that were started, at once. */
  kill(): void;
}

export interface ServeSurroundings {
  readonly terminal: Terminal;
  readonly interruption: Interruption;
  readonly home: string;
  readonly userFolder: string;
  readonly dataDir: string | undefined;
  readonly showsTraces: boolean;
  /** Resolves when it answers. */
  readonly startServer: (
    settings: ServeSettings,
    note: (sentence: string) => void,
  ) => Promise<Server>;
}

/**
 * The command `serve`: a control plane that runs until it is stopped, or until its home cannot be
 * written.
 *
 * @param argv what follows the command's name.
 * @returns the exit code.
 */
export async function runServe(
  argv: readonly string[],
  surroundings: ServeSurroundings,
): Promise<number> {
  const { terminal, interruption } = surroundings;
  const isJson = argv.includes("--json");
  const note = (sentence: string) => terminal.stderr.write(`${sentence}\n`);
  try {
    const request = parseServeArguments(argv, { ...surroundings, columns: terminal.columns });
    if (request.kind === "help") {
      terminal.stdout.write(request.text);
      return 0;
    }
    const server = await surroundings.startServer(request, note);
    warnOfFewPlaces(server, request, note);
    terminal.stdout.write(
      isJson ? `${JSON.stringify(readyDocument(server, request))}\n` : readyText(server, request),
    );
    const fault = await Promise.race([aborted(interruption.stop), server.broken]);
    const exitCode = await ended(server, request.drainMs, interruption, note);
    if (fault === undefined) return exitCode;
    // So that a supervisor of this process starts a new one.
    throw fault;
  } catch (thrown) {
    // It was told to end before it was ready.
    if (interruption.stop.aborted && interruption.stop.reason === thrown) return 0;
    return reportFailure(thrown, terminal, { isJson, showsTraces: surroundings.showsTraces });
  }
}

async function ended(
  server: Server,
  drainMs: number,
  { kill }: Interruption,
  note: (sentence: string) => void,
): Promise<number> {
  note("Stopping after a checkpoint; what is unfinished goes on at the next start");
  const killed = aborted(kill).then(() => {
    server.kill();
    return INTERRUPTED;
  });
  return Promise.race([killed, server.stop(drainMs).then(() => 0)]);
}

/** Workers that cannot connect would be started in vain. */
function warnOfFewPlaces(
  { capacity: { openFiles, workers } }: Server,
  { engines, numWorkers }: ServeSettings,
  note: (sentence: string) => void,
): void {
  const numStarted = engines.reduce((sum, { maxWorkers }) => sum + maxWorkers, numWorkers);
  if (!isNearlyFull(numStarted, workers)) return;
  note(
    `Up to ${formatCount(numStarted)} workers may be started, and ${formatCount(workers)} can be connected with ${formatCount(openFiles)} open files; raise that limit (ulimit -Hn, LimitNOFILE=)`,
  );
}

function readyDocument(server: Server, { home }: ServeSettings): object {
  const { address: grpc, workerAddress: workers, httpAddress: http } = server;
  const { openFiles, workers: mostWorkers } = server.capacity;
  const addresses = { grpc, workers, http };
  return { ready: true, ...addresses, home, pid: process.pid, openFiles, mostWorkers };
}

function readyText(
  { address, workerAddress, httpAddress, capacity }: Server,
  { home, host, store }: ServeSettings,
): string {
  const hasKeys = httpAddress.startsWith("https:");
  const elsewhere = addressesFor(host);
  return [
    `Stillhouse serves ${home}`,
    ...(store === undefined ? [] : [`  store    ${store}`]),
    `  gRPC     ${address}`,
    `  workers  ${workerAddress}, at most ${formatCount(capacity.workers)} with ${formatCount(capacity.openFiles)} open files`,
    `  HTTP     ${httpAddress}`,
    `Run on it: npm run experiment -- --server ${address}${hasKeys ? " --ca FILE --token-file FILE" : ""} …`,
    `Work for it: npm run worker -- --connect ${workerAddress}${hasKeys ? " --keys FOLDER" : ""}`,
    ...(elsewhere.length > 0
      ? [`Other machines reach the same ports at ${elsewhere.join(", ")}`]
      : []),
    "",
  ].join("\n");
}
