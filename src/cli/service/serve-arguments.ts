import { isIP } from "node:net";
import { resolve } from "node:path";
import { Option } from "commander";
import { invalid } from "../../errors.js";
import { type Options, parseArguments, scriptCommand } from "../terminal/command-line.js";
import type { EngineSettings } from "./engine-pool.js";
import {
  advertisedHost,
  enginesOf,
  LAUNCHER_FLAGS,
  launcherOption,
  POOLS_FLAGS,
} from "./launcher-arguments.js";

/** Where a control plane listens, and what it starts. */
export interface ServeSettings {
  /** IP address. */
  readonly host: string;
  /** 0 for any. */
  readonly grpcPort: number;
  /** 0 for any. */
  readonly workerPort: number;
  /** 0 for any. */
  readonly httpPort: number;
  readonly home: string;
  /** PostgreSQL database as postgres://USER@HOST/DATABASE; absent: SQLite in the home. */
  readonly store: string | undefined;
  /** How long after its last sign of life a leader on that database is followed by another. */
  readonly leaseMs: number;
  /** Most worker processes of this machine. */
  readonly numWorkers: number;
  /** Engines that start workers on other machines. */
  readonly engines: readonly EngineSettings[];
  /** By which workers of engines reach this machine. */
  readonly advertise: string | undefined;
  /** Most unfinished experiments of an owner. */
  readonly maxUnfinished: number;
  /** Most tasks of all unfinished experiments of an owner. */
  readonly maxUnfinishedTasks: number;
  /** Time for running tasks to reach a checkpoint when the server is stopped. */
  readonly drainMs: number;
  /** Folder of keys. */
  readonly keys: string | undefined;
  readonly requiresClientCertificate: boolean;
  /** Folders below which callers with a token may name data sets and models. */
  readonly folders: { readonly data: readonly string[]; readonly models: readonly string[] };
}

/** What a person asks for. */
export type ServeRequest =
  | { readonly kind: "help"; readonly text: string }
  | ({ readonly kind: "serve" } & ServeSettings);

export interface ServePlaces {
  readonly home: string;
  /** Folder that relative paths start from. */
  readonly userFolder: string;
  /** Folder of data sets that the environment names. */
  readonly dataDir: string | undefined;
  /** Width of the help. */
  readonly columns: number | undefined;
}

export const GRPC_PORT = 8421;
export const WORKER_PORT = 8422;
const HTTP_PORT = 8420;
const HOST = "127.0.0.1";
export const MAX_PORT = 65_535;
const MAX_WORKERS = 64;
/** Twenty times the largest sweep; stops a runaway script before the disk is full. */
const DEFAULT_MAX_UNFINISHED = 200_000;
const MOST_UNFINISHED = 999_999;
/** If all of them could start, the queue would take about 700 MB of memory. */
const DEFAULT_MAX_UNFINISHED_TASKS = 2_000_000;
const MOST_UNFINISHED_TASKS = 9_999_999;
const DEFAULT_DRAIN_S = 30;
const MAX_DRAIN_S = 3_600;
const DEFAULT_LEASE_S = 15;
/** Three renewals must fit into it on a busy machine. */
const MIN_LEASE_S = 2;
const MAX_LEASE_S = 300;
const GROUP = "Options:";

const REPEATABLE: readonly [string, string][] = [
  [
    "--data-dir <folder>",
    "Callers with a token may name data sets below it; may be given again (default: STILLHOUSE_DATA_DIR)",
  ],
  ["--model-dir <folder>", "Callers with a token may name models below it; may be given again"],
];

const HELP = `
Examples:
  npm run serve
  npm run serve -- --workers 0 --home /data/stillhouse
  npm run serve -- --host 10.0.0.5 --keys keys       # other machines; npm run keys makes the keys
  npm run serve -- --store postgres://stillhouse@db.example/stillhouse   # PGPASSWORD or ~/.pgpass
  npm run serve -- --host 10.0.0.5 --launcher slurm --max-workers 64 --launcher-option partition=gpu
  npm run serve -- --host 10.0.0.5 --launcher kubernetes --max-workers 64 --image REPOSITORY/worker:TAG
  npm run serve -- --host 10.0.0.5 --launcher ray://10.0.0.7:10001 --max-workers 64

Ctrl-C or SIGTERM stops what runs after a checkpoint; it stays queued and goes on at the next start.
A second one ends at once. What was unfinished when the server was killed goes on too.
Exit codes: 0 ended in order, 1 failed, 2 wrong usage, 130 ended at once.
`;

/**
 * Reads the arguments of `serve`.
 *
 * @throws StillhouseError INVALID for every mistake in them.
 */
export function parseServeArguments(argv: readonly string[], places: ServePlaces): ServeRequest {
  const parsed = parseArguments(serveCommand(places.columns), argv);
  if (parsed.kind === "help") return parsed;
  const { options } = parsed;
  const engines = enginesOf(options, places.userFolder);
  if (engines.length > 0 && options.requireClientCertificate === true) {
    throw invalid(
      "",
      "engines cannot be used with --require-client-certificate: the keys that their workers get contain no certificate",
    );
  }
  const folder = (name: string) =>
    typeof options[name] === "string" ? resolve(places.userFolder, options[name]) : undefined;
  const folders = (name: string) =>
    (options[name] as string[] | undefined)?.map((path) => resolve(places.userFolder, path));
  return {
    kind: "serve",
    host: hostOf(options),
    grpcPort: wholeNumber(options.grpcPort, "--grpc-port", GRPC_PORT, MAX_PORT),
    workerPort: wholeNumber(options.workerPort, "--worker-port", WORKER_PORT, MAX_PORT),
    httpPort: wholeNumber(options.httpPort, "--http-port", HTTP_PORT, MAX_PORT),
    home: folder("home") ?? places.home,
    ...storeOf(options),
    numWorkers: wholeNumber(options.workers, "--workers", engines.length > 0 ? 0 : 1, MAX_WORKERS),
    engines,
    advertise: advertisedHost(options),
    maxUnfinished: wholeNumber(
      options.maxUnfinished,
      "--max-unfinished",
      DEFAULT_MAX_UNFINISHED,
      MOST_UNFINISHED,
    ),
    maxUnfinishedTasks: wholeNumber(
      options.maxUnfinishedTasks,
      "--max-unfinished-tasks",
      DEFAULT_MAX_UNFINISHED_TASKS,
      MOST_UNFINISHED_TASKS,
    ),
    drainMs:
      1_000 * wholeNumber(options.drainTimeout, "--drain-timeout", DEFAULT_DRAIN_S, MAX_DRAIN_S),
    keys: folder("keys"),
    requiresClientCertificate: options.requireClientCertificate === true,
    folders: {
      data: folders("dataDir") ?? (places.dataDir === undefined ? [] : [places.dataDir]),
      models: folders("modelDir") ?? [],
    },
  };
}

/** What an address is made of is checked where it is used. */
function storeOf({ store, leaderLease }: Options): Pick<ServeSettings, "store" | "leaseMs"> {
  if (leaderLease !== undefined && store === undefined) {
    throw invalid("", "--leader-lease needs --store postgres://USER@HOST/DATABASE");
  }
  const seconds = wholeNumber(leaderLease, "--leader-lease", DEFAULT_LEASE_S, MAX_LEASE_S);
  if (seconds < MIN_LEASE_S) {
    throw invalid("", `--leader-lease must be at least ${MIN_LEASE_S} seconds, got ${seconds}`);
  }
  return { store: store === undefined ? undefined : String(store), leaseMs: 1_000 * seconds };
}

/** @throws INVALID for what is no address */
export function hostOf({ host }: Options): string {
  if (host === undefined) return HOST;
  if (host === "localhost") return HOST;
  if (typeof host === "string" && isIP(host) !== 0) return host;
  throw invalid("", `--host must be an IP address of this machine, got ${JSON.stringify(host)}`);
}

/** @throws INVALID for anything else */
export function wholeNumber(raw: unknown, flag: string, otherwise: number, max: number): number {
  if (raw === undefined) return otherwise;
  const value = typeof raw === "string" && /^\d{1,7}$/.test(raw) ? Number(raw) : Number.NaN;
  if (value <= max) return value;
  throw invalid("", `${flag} must be a whole number from 0 to ${max}, got ${JSON.stringify(raw)}`);
}

function serveCommand(columns: number | undefined) {
  const command = scriptCommand("serve", columns, GROUP)
    .description(
      "Runs the control plane as a service: gRPC and HTTP for clients, ZeroMQ for workers.",
    )
    .addHelpText("after", HELP);
  const flags: [string, string][] = [
    ["--host <ip>", `Address to serve at (default: ${HOST}); any but loopback needs keys`],
    ["--grpc-port <n>", `Port of gRPC, 0 for any (default: ${GRPC_PORT})`],
    ["--worker-port <n>", `Port for workers, 0 for any (default: ${WORKER_PORT})`],
    ["--http-port <n>", `Port of the dashboard, 0 for any (default: ${HTTP_PORT})`],
    ["--home <folder>", "Folder of experiments (default: STILLHOUSE_HOME or .stillhouse)"],
    ["--store <address>", "Database: postgres://USER@HOST/DATABASE (default: SQLite in the home)"],
    [
      "--leader-lease <s>",
      `Seconds until another server on that database takes over (default: ${DEFAULT_LEASE_S})`,
    ],
    ["--workers <n>", "Most worker processes of this machine, 0 for none (default: 1)"],
    [
      "--max-unfinished <n>",
      `Unfinished experiments that an owner may have (default: ${DEFAULT_MAX_UNFINISHED})`,
    ],
    [
      "--max-unfinished-tasks <n>",
      `Tasks that these may have in all (default: ${DEFAULT_MAX_UNFINISHED_TASKS})`,
    ],
    ["--drain-timeout <s>", `Seconds to come to a checkpoint (default: ${DEFAULT_DRAIN_S})`],
    ["--keys <folder>", "Keys of the server (default: keys in the home; none on loopback)"],
    ["--require-client-certificate", "Let in only clients that have a certificate as well"],
    ["--json", "Print the addresses as one line of JSON when it is ready"],
    ...LAUNCHER_FLAGS,
    ...POOLS_FLAGS,
  ];
  for (const [flag, help] of flags) command.addOption(new Option(flag, help).helpGroup(GROUP));
  for (const [flag, help] of REPEATABLE) {
    command.addOption(
      new Option(flag, help)
        .helpGroup(GROUP)
        .argParser((path: string, before: string[] = []) => [...before, path]),
    );
  }
  return command.addOption(launcherOption(GROUP));
}
