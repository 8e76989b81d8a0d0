import { fork } from "node:child_process";
import { existsSync, statSync } from "node:fs";
import { FailureKind } from "../errors.js";
import { StorageFault } from "../experiment/domain/storage-fault.js";
import type { SqlFile } from "./database.js";

/** Read within a second or two. */
const QUICK_BYTES = 256 << 20;

/**
 * When a database file is checked for damage: a small one when it is opened. A large one takes
 * minutes to read, so that it is checked while it is in use, and only if the last process that had
 * it did not end in order, or the machine did not: then pages may be torn, and its log is still
 * there.
 */
export function whenToCheck(path: string): "now" | "later" | "never" {
  if (!existsSync(path)) return "never";
  if (statSync(path).size <= QUICK_BYTES) return "now";
  const log = `${path}-wal`;
  return existsSync(log) && statSync(log).size > 0 ? "later" : "never";
}

/** Throws StorageFault for a damaged file. */
export function checkIntegrity(file: SqlFile): void {
  const found = file.pragma("quick_check(1)");
  if (found !== "ok") throw damaged(file.name, String(found));
}

/**
 * Checks a database file that is in use, in a process of its own.
 *
 * @param signal ends it early
 * @returns what is wrong; undefined where nothing is, or where it could not be checked
 */
export function checkInBackground(
  path: string,
  signal: AbortSignal,
): Promise<StorageFault | undefined> {
  const check = fork(new URL("./integrity-check.mjs", import.meta.url), [path], {
    signal,
    // It is JavaScript, and needs no loader of this process.
    execArgv: [],
    stdio: "ignore",
  });
  return new Promise((resolve) => {
    check.on("message", (found) => resolve(damaged(path, String(found))));
    check.on("error", () => resolve(undefined));
    check.on("exit", () => resolve(undefined));
  });
}

function damaged(path: string, found: string): StorageFault {
  return new StorageFault(
    FailureKind.ENVIRONMENT,
    `${path} is damaged (${found}); move it away to start with an empty one`,
    { isLasting: true },
  );
}
