import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir, userInfo } from "node:os";
import { join, resolve } from "node:path";
import { createInterface } from "node:readline/promises";
import { PassThrough } from "node:stream";
import { fileURLToPath } from "node:url";
import type { HomeControlPlane } from "./cli/connect/connection.js";
import type { OpenHome, OpenIdleHome } from "./cli/connect/open-connection.js";
import { runExperiment } from "./cli/experiment/experiment.js";
import { runReproduce } from "./cli/reproduce/reproduce.js";
import { reportFailure } from "./cli/results/report-failure.js";
import { runInspect } from "./cli/robustness/inspect.js";
import { runRobustness } from "./cli/robustness/robustness.js";
import { runDoctor } from "./cli/service/doctor.js";
import { runKeys } from "./cli/service/keys.js";
import { runServe, type Server } from "./cli/service/serve.js";
import type { ServeSettings } from "./cli/service/serve-arguments.js";
import { type KeptWorker, runWorker } from "./cli/service/worker.js";
import type { WorkerSettings } from "./cli/service/worker-arguments.js";
import { runStillhouse } from "./cli/stillhouse/stillhouse.js";
import { runSweep } from "./cli/sweep/sweep.js";
import { aborted, createInterruption, type Interruption } from "./cli/terminal/interruption.js";
import { keptByNpm } from "./cli/terminal/kept-by-npm.js";
import { type Terminal, terminalOf } from "./cli/terminal/terminal.js";
import { type ControlPlaneOptions, openHome, startControlPlane } from "./control-plane.js";
import { conflict, invalid } from "./errors.js";
import { processLog } from "./logging/process-log.js";
import { type TrackingAddress, trackingAddress } from "./mlflow/tracking-address.js";
import { AuditLog } from "./security/audit-log.js";
import { TokenFile } from "./security/token-file.js";
import { isOfNpm, listenForEnd, type Start } from "./setup/ending.mjs";
import { pythonPath } from "./setup/python-environment.mjs";
import { importArtifact } from "./store/artifact-import.js";
import { backUpHome } from "./store/backup.js";
import { keepPrivate, makeHome } from "./store/home.js";
import { type Inspection, PythonBridge } from "./worker/bridge.js";
import { codeVersion } from "./worker/code-version.js";
import { devicesForWorkers } from "./worker/device-list.js";
import { SupervisedWorker } from "./worker/supervised-worker.js";

const PROJECT = fileURLToPath(new URL("..", import.meta.url));

/** Where the dashboard of a command is, unless another one is there already. */
const HTTP = { port: 8420, orAnyPort: true };
/** One worker uses all cores of a CPU, and a second one on the same device would only wait. */
const NUM_WORKERS = 1;
/** Exit code of what was ended by Ctrl-C. */
const INTERRUPTED = 130;
/** Time for the first import of PyTorch on a slow disk, and for long distilled samples. */
const INSPECTION_TIMEOUT_MS = 600_000;

/** The composition root: everything that comes from outside the program enters here. */
export interface Surroundings {
  readonly terminal: Terminal;
  readonly interruption: Interruption;
  readonly pythonPath: string;
  /** Python that runs already; default: one for each command that asks it something. */
  readonly python?: PythonBridge;
  /** Folder of experiments and artifacts. */
  readonly home: string;
  /** Folder that relative paths start from. */
  readonly userFolder: string;
  readonly dataDir: string | undefined;
  /** Bearer token for a server. */
  readonly token: string | undefined;
  /** Whether a defect is shown with its place in the code. */
  readonly showsTraces: boolean;
}

/**
 * Runs a command and ends the process with its exit code.
 *
 * @param argv name of the command and its arguments.
 * @param parent the process that started this one, as it was at the start.
 */
export async function main(argv: readonly string[], parent: number): Promise<void> {
  const [command = "", ...rest] = argv;
  const surroundings = surroundingsOf(command, parent);
  const exitCode =
    (await refuseKeptFlags(command, rest, surroundings)) ??
    (await run(command, rest, surroundings));
  // What is written to a pipe may still wait; the exit would drop it.
  await new Promise((done) => process.stdout.write("", done));
  process.exit(exitCode);
}

/** @returns an exit code where npm kept the flags that were meant for the command */
async function refuseKeptFlags(
  command: string,
  argv: readonly string[],
  surroundings: Surroundings,
): Promise<number | undefined> {
  if (process.env.npm_lifecycle_event !== command) return undefined;
  const help = await helpOf(command, argv, surroundings);
  const kept = keptByNpm(command, argv, process.env, help);
  if (kept === undefined) return undefined;
  const error = invalid("", kept);
  return reportFailure(error, surroundings.terminal, { isJson: false });
}

async function helpOf(
  command: string,
  argv: readonly string[],
  surroundings: Surroundings,
): Promise<string> {
  const firstFlag = argv.findIndex((word) => word.startsWith("-"));
  const words = firstFlag === -1 ? argv : argv.slice(0, firstFlag);
  const stdout = new PassThrough().setEncoding("utf8");
  const terminal = { ...surroundings.terminal, stdout, stderr: stdout, columns: undefined };
  await run(command, [...words, "--help"], { ...surroundings, terminal });
  return String(stdout.read() ?? "");
}

/** @returns the exit code */
export function run(
  command: string,
  argv: readonly string[],
  surroundings: Surroundings,
): Promise<number> {
  switch (command) {
    case "experiment":
      return runExperiment(argv, {
        ...surroundings,
        ...homeOf(surroundings),
      });
    case "stillhouse":
      return runStillhouse(argv, {
        ...surroundings,
        openIdleHome: () => openIdle(surroundings),
        backUpHome: (file, options) => backUpHome(surroundings.home, file, options),
      });
    case "reproduce":
      return withPython(surroundings, (python) =>
        runReproduce(argv, {
          ...surroundings,
          ...homeOf(surroundings),
          reportsFolder: join(surroundings.home, "reports"),
          inspectArtifact: (path, top) => python.ask("artifact", { path, top }),
          codeVersion: () => codeVersion(join(PROJECT, "python_worker")),
        }),
      );
    case "sweep":
      return withPython(surroundings, (python) =>
        runSweep(argv, {
          ...surroundings,
          ...homeOf(surroundings),
          suggestSettings: (request) => python.ask("suggest", request),
        }),
      );
    case "serve":
      return runServe(argv, {
        ...surroundings,
        startServer: (settings, note) => startServer(surroundings, settings, note),
      });
    case "worker":
      return runWorker(argv, {
        ...surroundings,
        devices: () => devicesForWorkers(surroundings.pythonPath, process.env),
        keepWorker: (settings, device, note) => keepWorker(surroundings, settings, device, note),
      });
    case "robustness":
      return runRobustness(argv, {
        ...surroundings,
        ...homeOf(surroundings),
        importArtifact: (folder) => importArtifact(surroundings.home, folder),
      });
    case "inspect":
      return runInspect(argv, {
        ...surroundings,
        ...homeOf(surroundings),
        importArtifact: (folder) => importArtifact(surroundings.home, folder),
        inspectArtifact: (path, top) => inspectPython(surroundings, "artifact", { path, top }),
      });
    case "doctor":
      return Promise.race([
        runDoctor(argv, {
          ...surroundings,
          nodeVersion: process.versions.node,
          runningAt: () => runningAt(surroundings),
          inspectPython: () => {
            const { dataDir, home } = surroundings;
            return inspectPython(surroundings, "system", { data_dir: dataDir ?? null, home });
          },
        }),
        aborted(surroundings.interruption.stop).then(() => INTERRUPTED),
      ]);
    case "keys":
      return openKeys(argv, surroundings);
    default:
      throw new Error(`no script of package.json runs ${JSON.stringify(command)}`);
  }
}

/** The ways to the control plane of the home. */
function homeOf(surroundings: Surroundings): { openHome: OpenHome; openIdleHome: OpenIdleHome } {
  return {
    openHome: (adopt, note) => openControlPlane(surroundings, adopt, note),
    openIdleHome: () => openIdle(surroundings),
  };
}

function surroundingsOf(command: string, parent: number): Surroundings {
  const { env } = process;
  // npm runs scripts in the project's folder and says in INIT_CWD where the user is.
  const userFolder = isOfNpm(env, command) ? (env.INIT_CWD ?? "") : process.cwd();
  const folder = (path: string | undefined) => (path ? resolve(userFolder, path) : undefined);
  return {
    terminal: terminalOf(tolerant(process.stdout), tolerant(process.stderr), env),
    interruption: interruptionOfProcess({ env, script: command, parent }),
    pythonPath: pythonPath(PROJECT),
    home: folder(env.STILLHOUSE_HOME) ?? join(PROJECT, ".stillhouse"),
    userFolder,
    dataDir: folder(env.STILLHOUSE_DATA_DIR),
    token: env.STILLHOUSE_TOKEN || undefined,
    showsTraces: Boolean(env.STILLHOUSE_DEBUG),
  };
}

/** A reader that has gone, such as `head`, or a closed terminal is no reason to drop a run. */
function tolerant(stream: NodeJS.WriteStream): NodeJS.WriteStream {
  return stream.on("error", () => undefined);
}

function interruptionOfProcess(start: Start): Interruption {
  const interruption = createInterruption();
  listenForEnd(start, () => interruption.press());
  return interruption;
}

async function openControlPlane(
  { home, pythonPath, showsTraces }: Surroundings,
  adopt: readonly string[],
  note: (sentence: string) => void,
): Promise<HomeControlPlane> {
  const opened = await openHome(home, note);
  if (opened.kind === "running") {
    const { address, keys } = opened;
    return { kind: "joined", address, keys };
  }
  return startedHome({
    home,
    lock: opened.lock,
    pythonPath,
    // A token for other servers is no business of the workers.
    env: { ...process.env, STILLHOUSE_TOKEN: undefined },
    numWorkers: NUM_WORKERS,
    log: processLog(logFile(home), showsTraces, note),
    adopt,
    http: HTTP,
    mlflow: mlflowOf(process.env),
    version: projectVersion(),
  });
}

/** The control plane of the home, or one that dispatches nothing, to look at what is there. */
async function openIdle({
  home,
  pythonPath,
  showsTraces,
  terminal,
}: Surroundings): Promise<HomeControlPlane> {
  const opened = await openHome(home, noteOn(terminal));
  if (opened.kind === "running") {
    const { address, keys } = opened;
    return { kind: "joined", address, keys };
  }
  const log = processLog(logFile(home), showsTraces, () => undefined);
  const env = process.env;
  return startedHome({ home, lock: opened.lock, pythonPath, env, numWorkers: 0, log });
}

async function startedHome(options: ControlPlaneOptions): Promise<HomeControlPlane> {
  const controlPlane = await startControlPlane(options);
  return {
    kind: "started",
    address: controlPlane.address,
    keys: controlPlane.clientKeys,
    dashboard: controlPlane.httpAddress,
    leftQueued: controlPlane.leftQueued,
    stop: () => controlPlane.stop(),
    kill: () => controlPlane.kill(),
  };
}

async function startServer(
  { pythonPath, showsTraces, interruption }: Surroundings,
  { home, keys, requiresClientCertificate, folders, httpPort, ...settings }: ServeSettings,
  note: (sentence: string) => void,
): Promise<Server> {
  const opened = await openHome(home, note);
  if (opened.kind === "running") {
    throw conflict(
      `a control plane runs on ${home} already, at ${opened.address}; end it or choose another --home`,
    );
  }
  return startControlPlane({
    ...settings,
    home,
    lock: opened.lock,
    pythonPath,
    env: process.env,
    log: processLog(logFile(home), showsTraces, note),
    http: { port: httpPort },
    mlflow: mlflowOf(process.env),
    version: projectVersion(),
    stop: interruption.stop,
    security: { folders, requiresClientCertificate, ...(keys === undefined ? {} : { keys }) },
  });
}

function keepWorker(
  { pythonPath, showsTraces }: Surroundings,
  { connect, artifacts, name, workFolder, dataFolder, keys, sharesFolders }: WorkerSettings,
  device: string,
  note: (sentence: string) => void,
): KeptWorker {
  const flags = ["--connect", connect, "--device", device, "--work-dir", workFolder];
  if (name !== undefined) flags.push("--name", name);
  if (artifacts !== undefined) flags.push("--grpc", artifacts);
  if (dataFolder !== undefined) flags.push("--data-dir", dataFolder);
  if (keys !== undefined) flags.push("--keys", keys);
  if (!sharesFolders) flags.push("--no-shared-folders");
  const log = processLog(join(workFolder, "workers.log"), showsTraces, note);
  return new SupervisedWorker({ pythonPath, env: process.env, flags, log });
}

/** The token has the name that MLflow's own clients know. */
function mlflowOf(env: NodeJS.ProcessEnv): TrackingAddress | undefined {
  const { STILLHOUSE_MLFLOW: address, MLFLOW_TRACKING_TOKEN: token } = env;
  return address ? trackingAddress(address, token || undefined) : undefined;
}

function openKeys(argv: readonly string[], surroundings: Surroundings): Promise<number> {
  const note = noteOn(surroundings.terminal);
  return runKeys(argv, {
    ...surroundings,
    openHome: (home) => {
      const paths = makeHome(home);
      keepPrivate(paths, note);
      const log = { error: note };
      return { tokens: new TokenFile(paths.tokens), audit: new AuditLog(paths.audit, log) };
    },
    account: accountName(),
    ask: askedAtTerminal,
  });
}

function noteOn({ stderr }: Terminal): (sentence: string) => void {
  return (sentence) => stderr.write(`${sentence}\n`);
}

async function askedAtTerminal(question: string): Promise<string | undefined> {
  if (!process.stdin.isTTY) return undefined;
  const lines = createInterface({ input: process.stdin, output: process.stderr });
  const closed = new Promise<undefined>((resolve) => lines.once("close", () => resolve(undefined)));
  try {
    return await Promise.race([lines.question(question), closed]);
  } finally {
    lines.close();
  }
}

/** Of the person at the terminal. A container may run as a user that has no name. */
function accountName(): string {
  try {
    return userInfo().username;
  } catch {
    return `uid ${process.getuid?.()}`;
  }
}

function projectVersion(): string {
  const { version } = JSON.parse(readFileSync(join(PROJECT, "package.json"), "utf8"));
  return String(version);
}

function logFile(home: string): string {
  return join(home, "logs", "control-plane.log");
}

async function runningAt({ home, terminal }: Surroundings): Promise<string | undefined> {
  const opened = await openHome(home, noteOn(terminal));
  if (opened.kind === "running") return opened.address;
  opened.lock.release();
  return undefined;
}

/** Asks Python one thing, in a process that ends with the answer. */
function inspectPython(
  surroundings: Surroundings,
  inspection: Inspection,
  request: object,
): Promise<unknown> {
  return withPython(surroundings, (python) => python.ask(inspection, request));
}

/** Python starts at the first question and ends with the work. */
async function withPython<T>(
  { pythonPath, python }: Surroundings,
  work: (python: PythonBridge) => Promise<T>,
): Promise<T> {
  if (python) return work(python);
  const folder = mkdtempSync(join(tmpdir(), "stillhouse-inspection-"));
  const logPath = join(folder, "python.log");
  const timeoutMs = INSPECTION_TIMEOUT_MS;
  const bridge = new PythonBridge({ pythonPath, env: process.env, logPath, timeoutMs });
  try {
    return await work(bridge);
  } finally {
    await bridge.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}
