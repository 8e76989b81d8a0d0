import { chmodSync, readdirSync, rmSync, statSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { makeFolder } from "../make-folder.js";
import { storageFailure } from "./storage-failure.js";

/** How many logs of workers are kept; older ones are removed at the start. */
const MAX_LOGS = 50;
/** Always kept, since it is not the log of a worker. */
const AUDIT_LOG = "audit.log";

/** Modes of folders. */
const ALL_RIGHTS = 0o7777;
const RIGHTS_OF_OTHERS = 0o077;
const OWNER_ONLY = 0o700;
/** In a folder with this bit, people can only remove their own files. */
const STICKY = 0o1000;

/** The paths in a home folder. */
export interface HomePaths {
  readonly home: string;
  readonly database: string;
  readonly lock: string;
  /** Address of the control plane that runs here. */
  readonly server: string;
  readonly artifacts: string;
  /** Data sets and models that clients have sent. */
  readonly folders: string;
  /** Checkpoints, one folder per task. */
  readonly work: string;
  /** Files and folders that are being removed. */
  readonly trash: string;
  /** Reserved disk space, for when the disk is full. */
  readonly reserve: string;
  readonly logs: string;
  /** Logs of experiments, one folder each. */
  readonly runs: string;
  /** Names, roles and hashes of bearer tokens. */
  readonly tokens: string;
  /** One JSON line per change. */
  readonly audit: string;
  /** Keys of the running control plane, for its own workers and clients. */
  readonly session: string;
  /** The default folder of `npm run keys`. */
  readonly keys: string;
  /** Id of this home among the control planes that use one engine. */
  readonly plane: string;
  /** Keys of the workers that engines start. */
  readonly pools: string;
  /** Id of the PostgreSQL database that the home goes with; absent where it has SQLite's. */
  readonly postgres: string;
}

export function homePaths(folder: string): HomePaths {
  const home = resolve(folder);
  return {
    home,
    database: join(home, "stillhouse.db"),
    lock: join(home, "lock.db"),
    server: join(home, "server.json"),
    artifacts: join(home, "artifacts"),
    folders: join(home, "folders"),
    work: join(home, "work"),
    trash: join(home, "trash"),
    reserve: join(home, "reserve"),
    logs: join(home, "logs"),
    runs: join(home, "runs"),
    tokens: join(home, "tokens.json"),
    audit: join(home, "logs", AUDIT_LOG),
    session: join(home, "session"),
    keys: join(home, "keys"),
    plane: join(home, "plane"),
    pools: join(home, "pools"),
    postgres: join(home, "postgres"),
  };
}

/** Creates the missing folders of a home. Throws ENVIRONMENT where that fails. */
export function makeHome(home: string): HomePaths {
  const paths = homePaths(home);
  try {
    makeFolder(dirname(paths.home));
    makeFolder(paths.home, OWNER_ONLY);
    for (const folder of [paths.artifacts, paths.folders, paths.work, paths.logs, paths.runs]) {
      makeFolder(folder);
    }
  } catch (error) {
    throw storageFailure(error, home);
  }
  return paths;
}

/**
 * Closes the folder of a home to other accounts, since results, logs and keys are private. A folder
 * of another account, or one for everybody such as /tmp, is left alone.
 *
 * @param note is called with a sentence if others have access, or had it
 */
export function keepPrivate({ home }: HomePaths, note: (sentence: string) => void): void {
  const { mode, uid } = statSync(home);
  if ((mode & RIGHTS_OF_OTHERS) === 0) return;
  const others = `other accounts of this machine (mode ${(mode & ALL_RIGHTS).toString(8)})`;
  if (uid !== process.getuid?.() || (mode & STICKY) !== 0) {
    note(`the home folder ${home} is open to ${others}; its owner can close it with chmod 700`);
    return;
  }
  chmodSync(home, mode & ALL_RIGHTS & ~RIGHTS_OF_OTHERS);
  note(`the home folder ${home} was open to ${others}; it is for its owner alone now`);
}

/** Removes the oldest logs, so that they do not pile up in a home that is used for months. */
export function pruneLogs(paths: HomePaths): void {
  const logs = readdirSync(paths.logs)
    .filter((name) => name.endsWith(".log") && name !== AUDIT_LOG)
    .map((name) => join(paths.logs, name))
    .map((path) => ({ path, ms: statSync(path).mtimeMs }))
    .sort((a, b) => b.ms - a.ms);
  for (const { path } of logs.slice(MAX_LOGS)) rmSync(path, { force: true });
}
