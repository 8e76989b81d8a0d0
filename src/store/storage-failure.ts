import { FailureKind, StillhouseError } from "../errors.js";

interface Explanation {
  readonly kind: FailureKind;
  /** Ends the sentence "PATH …". */
  readonly says: string;
  readonly retryable?: boolean;
}

const FULL: Explanation = {
  kind: FailureKind.FAILURE_KIND_EXHAUSTED,
  says: "could not be written: the disk is full or a quota is reached; free some space and run the command again",
  retryable: true,
};
const READ_ONLY: Explanation = {
  kind: FailureKind.FAILURE_KIND_ENVIRONMENT,
  says: "cannot be written; make it writable or choose another home folder with STILLHOUSE_HOME",
};
const UNREADABLE: Explanation = {
  kind: FailureKind.FAILURE_KIND_ENVIRONMENT,
  says: "cannot be opened; look at its permissions or choose another home folder with STILLHOUSE_HOME",
};
const BROKEN: Explanation = {
  kind: FailureKind.FAILURE_KIND_ENVIRONMENT,
  says: "is damaged or no database; move it away to begin with an empty one",
};
const BUSY: Explanation = {
  kind: FailureKind.FAILURE_KIND_ENVIRONMENT,
  says: "is locked by another program; close what has it open and run the command again",
  retryable: true,
};

/** Codes of SQLite (extended ones by their beginning) and of the file system. */
const EXPLANATIONS: readonly (readonly [code: string, Explanation])[] = [
  ["SQLITE_FULL", FULL],
  // A file that may not grow is reported as a failed write, not as SQLITE_FULL.
  ["SQLITE_IOERR_WRITE", FULL],
  ["SQLITE_READONLY", READ_ONLY],
  ["SQLITE_CANTOPEN", UNREADABLE],
  ["SQLITE_PERM", UNREADABLE],
  ["SQLITE_AUTH", UNREADABLE],
  ["SQLITE_CORRUPT", BROKEN],
  ["SQLITE_NOTADB", BROKEN],
  ["SQLITE_BUSY", BUSY],
  ["SQLITE_LOCKED", BUSY],
  ["ENOSPC", FULL],
  ["EDQUOT", FULL],
  ["EFBIG", FULL],
  ["EROFS", READ_ONLY],
  ["EACCES", READ_ONLY],
  ["EPERM", READ_ONLY],
  ["ENOTDIR", UNREADABLE],
  ["EEXIST", UNREADABLE],
];

/** An error of SQLite or of the file system as one sentence with the path and the remedy. */
export function storageFailure(error: unknown, path: string): unknown {
  if (error instanceof StillhouseError || !(error instanceof Error)) return error;
  const code = "code" in error ? String(error.code) : "";
  // libsql reports a file that it cannot open without a code.
  const found = error.message.startsWith("ConnectionFailed")
    ? UNREADABLE
    : EXPLANATIONS.find(([prefix]) => code.startsWith(prefix))?.[1];
  if (found) {
    const { kind, says, retryable = false } = found;
    return new StillhouseError(kind, `${path} ${says}`, { retryable, cause: error });
  }
  if (!code.startsWith("SQLITE_IOERR")) return error;
  return new StillhouseError(
    FailureKind.FAILURE_KIND_ENVIRONMENT,
    `${path} could not be read or written (${code}): look at the disk`,
    { cause: error },
  );
}
