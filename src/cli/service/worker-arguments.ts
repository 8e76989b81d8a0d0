import { resolve } from "node:path";
import { Option } from "commander";
import { invalid } from "../../errors.js";
import { type Options, parseArguments, scriptCommand } from "../terminal/command-line.js";

export interface WorkerSettings {
  /** Where the control plane listens for workers, tcp://HOST:PORT. */
  readonly connect: string;
  /** Where it serves artifacts, HOST:PORT; absent: as the control plane says. */
  readonly artifacts: string | undefined;
  /** "auto", "cpu", "cuda" or "cuda:N". */
  readonly device: string;
  /** Worker processes per device; each has one task at a time. */
  readonly numProcesses: number;
  /** Beginning of the names of its workers; absent: the name of the machine. */
  readonly name: string | undefined;
  /** Folder for checkpoints of tasks whose folder is not on this machine. */
  readonly workFolder: string;
  /** Local data sets, where the folder of a spec is not on this machine. */
  readonly dataFolder: string | undefined;
  readonly keys: string | undefined;
  /** Whether folders of the control plane are used where they are on this machine. */
  readonly sharesFolders: boolean;
}

/** What a person asks for. */
export type WorkerRequest =
  | { readonly kind: "help"; readonly text: string }
  | ({ readonly kind: "work" } & WorkerSettings);

export interface WorkerPlaces {
  readonly home: string;
  readonly dataDir: string | undefined;
  /** Folder that relative paths start from. */
  readonly userFolder: string;
  /** Width of the help. */
  readonly columns: number | undefined;
}

const GROUP = "Options:";
const HOST_PORT = /^(\[[\da-f:]+\]|[^\s:/]+):([1-9]\d{0,4})$/i;
const DEVICE = /^(auto|cpu|cuda(:\d{1,3})?)$/;
const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;
const MAX_PORT = 65_535;
const MAX_PROCESSES = 64;

const HELP = `
One process is started for each CUDA device, or one for the CPU, unless --processes says more. A
worker that dies is started again; one whose control plane is away computes on and joins it again
when it is back.

Examples:
  npm run worker -- --connect tcp://10.0.0.5:8422 --keys worker-keys
  npm run worker -- --connect tcp://127.0.0.1:8422 --device cuda:1

Ctrl-C or SIGTERM stops after a checkpoint, a second one at once.
Exit codes: 0 ended in order, 1 failed, 2 wrong usage, 130 ended at once.
`;

/**
 * Reads the arguments of `worker`.
 *
 * @throws StillhouseError INVALID for every mistake in them.
 */
export function parseWorkerArguments(argv: readonly string[], places: WorkerPlaces): WorkerRequest {
  const parsed = parseArguments(workerCommand(places.columns), argv);
  if (parsed.kind === "help") return parsed;
  const { options } = parsed;
  const folder = (name: string) =>
    typeof options[name] === "string" ? resolve(places.userFolder, options[name]) : undefined;
  return {
    kind: "work",
    connect: connectOf(options),
    artifacts: artifactsOf(options),
    device: matching(options.device ?? "auto", "--device", DEVICE, "auto, cpu, cuda or cuda:N"),
    numProcesses: processesOf(options),
    name:
      options.name === undefined
        ? undefined
        : matching(options.name, "--name", NAME, 'at most 64 letters, digits, ".", "_" or "-"'),
    workFolder: folder("workDir") ?? resolve(places.home, "worker"),
    dataFolder: folder("dataDir") ?? places.dataDir,
    keys: folder("keys"),
    sharesFolders: options.sharedFolders !== false,
  };
}

function connectOf({ connect }: Options): string {
  if (connect === undefined) {
    throw invalid("", "--connect tcp://HOST:PORT must be given; npm run serve prints it");
  }
  const address = String(connect);
  if (address.startsWith("tcp://") && isHostPort(address.slice(6))) return address;
  throw invalid("", `--connect must be tcp://HOST:PORT, got ${JSON.stringify(connect)}`);
}

function artifactsOf({ artifacts }: Options): string | undefined {
  if (artifacts === undefined || isHostPort(String(artifacts))) return artifacts as undefined;
  throw invalid("", `--artifacts must be HOST:PORT, got ${JSON.stringify(artifacts)}`);
}

function processesOf({ processes = "1" }: Options): number {
  const value = /^\d{1,2}$/.test(String(processes)) ? Number(processes) : 0;
  if (value >= 1 && value <= MAX_PROCESSES) return value;
  const allowed = `a whole number from 1 to ${MAX_PROCESSES}`;
  throw invalid("", `--processes must be ${allowed}, got ${JSON.stringify(processes)}`);
}

function isHostPort(text: string): boolean {
  const port = HOST_PORT.exec(text)?.[2];
  return port !== undefined && Number(port) <= MAX_PORT;
}

function matching(raw: unknown, flag: string, pattern: RegExp, allowed: string): string {
  if (typeof raw === "string" && pattern.test(raw)) return raw;
  throw invalid("", `${flag} must be ${allowed}, got ${JSON.stringify(raw)}`);
}

function workerCommand(columns: number | undefined) {
  const command = scriptCommand("worker", columns, GROUP)
    .description("Computes for a control plane on this or another machine.")
    .addHelpText("after", HELP);
  const flags: [string, string][] = [
    ["--connect <tcp://host:port>", "Where the control plane listens for workers"],
    ["--device <which>", "auto, cpu, cuda or cuda:N (default: auto, all of CUDA or else the CPU)"],
    [
      "--processes <n>",
      "Processes per device, for parallel tasks as far as its memory allows (default: 1)",
    ],
    ["--artifacts <host:port>", "gRPC of the control plane (default: as it says itself)"],
    ["--work-dir <folder>", "For checkpoints of this machine (default: worker in the home)"],
    ["--data-dir <folder>", "Local data sets (default: STILLHOUSE_DATA_DIR)"],
    ["--no-shared-folders", "Use no folder of the control plane, even if it is on this machine"],
    ["--keys <folder>", "Keys of the worker, which npm run keys makes"],
    ["--name <name>", "Beginning of the workers' names (default: that of the machine)"],
  ];
  for (const [flag, help] of flags) command.addOption(new Option(flag, help).helpGroup(GROUP));
  return command;
}
