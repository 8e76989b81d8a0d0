import { execFile } from "node:child_process";
import {
  closeSync,
  copyFileSync,
  existsSync,
  fsyncSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { basename, join, relative } from "node:path";
import { promisify } from "node:util";
import { conflict, environment, FailureKind, notFound, StillhouseError } from "../errors.js";
import { isFull } from "../experiment/domain/storage-fault.js";
import { isFolderId } from "../settings/client-folder.js";
import { SqlFile } from "./database.js";
import { type HomePaths, homePaths } from "./home.js";
import { isInPostgres } from "./postgres/home-binding.js";
import { storageFailure } from "./storage-failure.js";

export interface BackupOptions {
  /** Whether an existing file is replaced. */
  readonly overwrites: boolean;
  /** Ends it early, without leaving anything behind. */
  readonly signal: AbortSignal;
}

/** What a backup contains. */
export interface Backup {
  readonly file: string;
  readonly bytes: number;
  readonly experiments: number;
  readonly artifacts: number;
}

/** Tokens and keys: without them a restored home would be open to everyone. */
const ACCESS = ["tokens.json", "closed", "keys"];
const OWNER_ONLY = 0o600;
const run = promisify(execFile);

/**
 * Writes a home as one tar file: a snapshot of its database, its artifacts, tokens and keys. A
 * control plane may run on the home meanwhile. Unpacked into an empty folder, the file is a home.
 * It contains no logs and no checkpoints of unfinished tasks. It exists completely or not at all.
 *
 * @throws StillhouseError NOT_FOUND where there is no home, CONFLICT where the file exists,
 *   ENVIRONMENT or EXHAUSTED where it cannot be written
 */
export async function backUpHome(
  home: string,
  file: string,
  { overwrites, signal }: BackupOptions,
): Promise<Backup> {
  const paths = homePaths(home);
  if (isInPostgres(paths)) throw inPostgres(paths);
  if (!existsSync(paths.database)) throw noHome(paths);
  if (!overwrites) requireNone(file);
  const draft = draftBeside(file);
  try {
    const content = join(draft, "content");
    mkdirSync(content);
    const experiments = snapshot(paths, join(content, basename(paths.database)));
    signal.throwIfAborted();
    // After the database: every artifact that it names existed, and can only have been removed.
    const artifacts = takeArtifacts(paths, content);
    takeFolders(paths, content);
    for (const name of ACCESS) take(join(paths.home, name), join(content, name));
    const packed = await pack(content, join(draft, "backup.tar"), signal);
    publish(packed, file, overwrites);
    return { file, bytes: statSync(file).size, experiments, artifacts };
  } catch (error) {
    // The home's database is only read, so it is the copy that has no room.
    throw storageFailure(isFull(error) ? (error as Error).cause : error, file);
  } finally {
    rmSync(draft, { recursive: true, force: true });
  }
}

/** Creates a folder that only its owner can enter, on the disk of the backup file. */
function draftBeside(file: string): string {
  try {
    return mkdtempSync(`${file}.`);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== "ENOENT") throw storageFailure(error, file);
    const message = `${file} cannot be written: its folder does not exist`;
    throw notFound(message, { cause: error });
  }
}

/** @returns the number of experiments in the copy */
function snapshot({ database }: HomePaths, copy: string): number {
  // SQLite also writes into an empty file; one that it creates itself would be readable by others.
  writeFileSync(copy, "", { mode: OWNER_ONLY });
  const file = new SqlFile(database);
  try {
    file.pragma("busy_timeout = 5000");
    file.run("VACUUM INTO ?", copy);
  } finally {
    file.close();
  }
  const copied = new SqlFile(copy);
  try {
    const row = copied.get<{ count: number }>("SELECT count(*) AS count FROM experiments");
    return row?.count ?? 0;
  } finally {
    copied.close();
  }
}

/** The data sets and models of clients. Files that belong to no folder yet are sent again. */
function takeFolders({ home, folders }: HomePaths, content: string): void {
  const names = existsSync(folders) ? readdirSync(folders) : [];
  const target = join(content, relative(home, folders));
  mkdirSync(target);
  for (const name of names.filter(isFolderId)) {
    take(join(folders, name), join(target, name));
  }
}

/** @returns the number of artifacts, without those whose upload is not finished */
function takeArtifacts({ home, artifacts }: HomePaths, content: string): number {
  if (!existsSync(artifacts)) return 0;
  const names = readdirSync(artifacts).filter((name) => !name.startsWith("."));
  const target = join(content, relative(home, artifacts));
  mkdirSync(target);
  return names.filter((name) => take(join(artifacts, name), join(target, name))).length;
}

/** @returns whether all of it was taken */
function take(from: string, to: string): boolean {
  try {
    if (statSync(from).isDirectory()) {
      mkdirSync(to);
      for (const name of readdirSync(from)) take(join(from, name), join(to, name));
    } else {
      linkOrCopy(from, to);
    }
    return existsSync(from);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
    rmSync(to, { recursive: true, force: true });
    return false;
  }
}

/** Files of a home are replaced, never changed in place, so a link keeps the present content. */
function linkOrCopy(from: string, to: string): void {
  try {
    linkSync(from, to);
  } catch {
    // The backup is on another file system, or on one without links.
    copyFileSync(from, to);
  }
}

async function pack(content: string, file: string, signal: AbortSignal): Promise<string> {
  writeFileSync(file, "", { mode: OWNER_ONLY });
  try {
    await run("tar", ["-cf", file, "-C", content, ...readdirSync(content)], { signal });
  } catch (error) {
    signal.throwIfAborted();
    throw notPacked(error as NodeJS.ErrnoException & { stderr?: string });
  }
  return file;
}

function publish(packed: string, file: string, overwrites: boolean): void {
  flush(packed);
  if (!overwrites) requireNone(file);
  if (overwrites || !linked(packed, file)) renameSync(packed, file);
}

/** A link never replaces a file; a rename would replace one that was created at the last moment. */
function linked(packed: string, file: string): boolean {
  try {
    linkSync(packed, file);
    return true;
  } catch {
    requireNone(file);
    return false;
  }
}

function flush(file: string): void {
  const descriptor = openSync(file, "r");
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

function notPacked({ code, stderr = "", message }: NodeJS.ErrnoException & { stderr?: string }) {
  const isMissing = code === "ENOENT";
  const reason = isMissing ? "the program tar is not installed" : stderr.trim() || message;
  const isFull = /no space left|quota exceeded/i.test(reason);
  const kind = isFull ? FailureKind.EXHAUSTED : FailureKind.ENVIRONMENT;
  return new StillhouseError(kind, `the backup cannot be written: ${reason}`);
}

function noHome({ home }: HomePaths): StillhouseError {
  return notFound(`there is no home at ${home}; name one with STILLHOUSE_HOME`);
}

function inPostgres({ home }: HomePaths): StillhouseError {
  return environment(
    `the experiments of ${home} are in PostgreSQL, which no backup of the home contains; save them with pg_dump, then the folder with tar`,
  );
}

function requireNone(file: string): void {
  if (!existsSync(file)) return;
  throw conflict(`${file} exists already; choose another name, or replace it with --force`);
}
