import { chmodSync, existsSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { environment, type StillhouseError } from "../../errors.js";
import { makeFolder } from "../../make-folder.js";

const OWNER_ONLY_FILE = 0o600;
const OWNER_ONLY_FOLDER = 0o700;

/** Writes a file that only its owner can read, completely or not at all. @throws ENVIRONMENT */
export function writeSecret(path: string, text: string): void {
  const temporary = `${path}.${process.pid}.new`;
  try {
    makeFolder(dirname(path), OWNER_ONLY_FOLDER);
    writeFileSync(temporary, text, { mode: OWNER_ONLY_FILE });
    // A file that existed already would keep its own mode.
    chmodSync(temporary, OWNER_ONLY_FILE);
    renameSync(temporary, path);
  } catch (error) {
    throw unusable(path, "cannot be written", error);
  }
}

/** @throws ENVIRONMENT when it is not there or cannot be read */
export function readSecret(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    throw unusable(path, "cannot be read", error);
  }
}

/** undefined where there is no such file. */
export function readSecretIfThere(path: string): string | undefined {
  return existsSync(path) ? readSecret(path) : undefined;
}

function unusable(path: string, what: string, cause: unknown): StillhouseError {
  const { message } = cause as Error;
  return environment(`${path} ${what}: ${message.split(",")[0]}`, {
    cause,
  });
}
