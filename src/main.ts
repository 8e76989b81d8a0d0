import { join } from "node:path";
import { PassThrough } from "node:stream";
import { runExperiment } from "./cli/experiment/experiment.js";
import { runReplay } from "./cli/replay/replay.js";
import { runReproduce } from "./cli/reproduce/reproduce.js";
import { reportFailure } from "./cli/results/report-failure.js";
import { runInspect } from "./cli/robustness/inspect.js";
import { runRobustness } from "./cli/robustness/robustness.js";
import { runVerify } from "./cli/robustness/verify.js";
import { runDoctor } from "./cli/service/doctor.js";
import type { SeatTrial } from "./cli/service/doctor-seat.js";
import { runKeys } from "./cli/service/keys.js";
import { runServe } from "./cli/service/serve.js";
import { type KeptWorker, runWorker } from "./cli/service/worker.js";
import type { WorkerSettings } from "./cli/service/worker-arguments.js";
import { runStillhouse } from "./cli/stillhouse/stillhouse.js";
import { runSweep } from "./cli/sweep/sweep.js";
import { aborted } from "./cli/terminal/interruption.js";
import { keptByNpm } from "./cli/terminal/kept-by-npm.js";
import { INTERRUPTED, invalid } from "./errors.js";
import { processLog } from "./logging/process-log.js";
import { homeOf, openIdle, runningAt, startServer } from "./main/home-ways.js";
import { inspectPython, withPython } from "./main/python.js";
import { startSeatTrial } from "./main/seat-trial.js";
import {
  accountName,
  askedAtTerminal,
  noteOn,
  PROJECT,
  type Surroundings,
  surroundingsOf,
} from "./main/surroundings.js";
import { AuditLog } from "./security/audit-log.js";
import { openFileLimit } from "./security/connection-limits.js";
import { TokenFile } from "./security/token-file.js";
import { importArtifact } from "./store/artifact-import.js";
import { backUpHome } from "./store/backup.js";
import { keepPrivate, makeHome } from "./store/home.js";
import { codeVersion } from "./worker/code-version.js";
import { devicesForWorkers } from "./worker/device-list.js";
import { SupervisedWorker } from "./worker/supervised-worker.js";

export type { Surroundings } from "./main/surroundings.js";

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

type RunCommand = (argv: readonly string[], surroundings: Surroundings) => Promise<number>;

/** The scripts of package.json that are commands, each with what it needs of the world. */
const COMMANDS: ReadonlyMap<string, RunCommand> = new Map<string, RunCommand>([
  ["experiment", (argv, given) => runExperiment(argv, { ...given, ...homeOf(given) })],
  [
    "stillhouse",
    (argv, given) =>
      runStillhouse(argv, {
        ...given,
        openIdleHome: () => openIdle(given),
        backUpHome: (file, options) => backUpHome(given.home, file, options),
      }),
  ],
  ["reproduce", reproduce],
  [
    "sweep",
    (argv, given) =>
      withPython(given, (python) =>
        runSweep(argv, {
          ...given,
          ...homeOf(given),
          suggestSettings: (request) => python.ask("suggest", request),
        }),
      ),
  ],
  [
    "serve",
    (argv, given) =>
      runServe(argv, {
        ...given,
        startServer: (settings, note) => startServer(given, settings, note),
      }),
  ],
  [
    "worker",
    (argv, given) =>
      runWorker(argv, {
        ...given,
        devices: () => devicesForWorkers(given.pythonPath, process.env),
        keepWorker: (settings, device, note) => keepWorker(given, settings, device, note),
      }),
  ],
  ["replay", (argv, given) => runReplay(argv, { ...given, ...homeOf(given) })],
  ["robustness", (argv, given) => runRobustness(argv, withArtifacts(given))],
  ["verify", (argv, given) => runVerify(argv, withArtifacts(given))],
  [
    "inspect",
    (argv, given) =>
      runInspect(argv, {
        ...withArtifacts(given),
        inspectArtifact: (path, top) => inspectPython(given, "artifact", { path, top }),
      }),
  ],
  ["doctor", doctor],
  ["keys", keys],
]);

/** @returns the exit code */
export function run(
  command: string,
  argv: readonly string[],
  surroundings: Surroundings,
): Promise<number> {
  const runCommand = COMMANDS.get(command);
  if (runCommand) return runCommand(argv, surroundings);
  throw new Error(`no script of package.json runs ${JSON.stringify(command)}`);
}

function withArtifacts(given: Surroundings) {
  const { home } = given;
  return {
    ...given,
    ...homeOf(given),
    importArtifact: (folder: string) => importArtifact(home, folder),
  };
}

function reproduce(argv: readonly string[], given: Surroundings): Promise<number> {
  return withPython(given, (python) =>
    runReproduce(argv, {
      ...given,
      ...homeOf(given),
      reportsFolder: join(given.home, "reports"),
      inspectArtifact: (path, top) => python.ask("artifact", { path, top }),
      codeVersion: () => codeVersion(join(PROJECT, "python_worker")),
    }),
  );
}

function doctor(argv: readonly string[], given: Surroundings): Promise<number> {
  const { dataDir, home, interruption, pythonPath } = given;
  let trial: Promise<SeatTrial> | undefined;
  const finished = runDoctor(argv, {
    ...given,
    nodeVersion: process.versions.node,
    openFiles: openFileLimit(),
    runningAt: () => runningAt(given),
    inspectPython: () => inspectPython(given, "system", { data_dir: dataDir ?? null, home }),
    startSeatTrial: (request) => {
      const { stop } = interruption;
      trial = startSeatTrial(request, { home, pythonPath, env: process.env, stop });
      return trial;
    },
  });
  const interrupted = aborted(interruption.stop).then(async () => {
    // No worker stays behind in the engine.
    await trial?.then((started) => started.stop()).catch(() => undefined);
    return INTERRUPTED;
  });
  return Promise.race([finished, interrupted]);
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

function keys(argv: readonly string[], surroundings: Surroundings): Promise<number> {
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
