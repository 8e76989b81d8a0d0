import { FailureKind, StillhouseError } from "../errors.js";
import { StorageFault } from "../experiment/domain/storage-fault.js";

interface Explanation {
  readonly kind: FailureKind.EXHAUSTED | FailureKind.ENVIRONMENT;
  /** Ends the sentence "PATH …". */
  readonly says: string;
  readonly retryable?: boolean;
  /** Waiting does not help. */
  readonly isLasting?: boolean;
}

const FULL: Explanation = {
  kind: FailureKind.EXHAUSTED,
  says: "could not be written: the disk is full or a quota is reached; free some space and run the command again",
  retryable: true,
};
const READ_ONLY: Explanation = {
  kind: FailureKind.ENVIRONMENT,
  says: "cannot be written; make it writable or choose another home folder with STILLHOUSE_HOME",
};
const UNREADABLE: Explanation = {
  kind: FailureKind.ENVIRONMENT,
  says: "cannot be opened; check its permissions or choose another home folder with STILLHOUSE_HOME",
};
const IMPOSSIBLE: Explanation = {
  kind: FailureKind.ENVIRONMENT,
  says: "does not exist and cannot be created; choose another home folder with STILLHOUSE_HOME",
};
const BROKEN: Explanation = {
  kind: FailureKind.ENVIRONMENT,
  says: "is damaged or no database; move it away to start with an empty one",
  isLasting: true,
};
const BUSY: Explanation = {
  kind: FailureKind.ENVIRONMENT,
  says: "is locked by another program; close what has it open and run the command again",
  retryable: true,
};
const FAULTY: Explanation = {
  kind: FailureKind.ENVIRONMENT,
  says: "could not be read or written: check the disk",
  retryable: true,
};
const TOO_MANY_FILES: Explanation = {
  kind: FailureKind.ENVIRONMENT,
  says: "cannot be opened because too many files and connections are open; raise the limit (ulimit -n) or close some",
  retryable: true,
};

/**
 * Errors that concern the whole home: prefixes of SQLite's codes, and codes of the file system.
 */
const OF_THE_HOME: readonly (readonly [code: string, Explanation])[] = [
  ["SQLITE_FULL", FULL],
  // SQLite reports a file that may not grow as a failed write, not as SQLITE_FULL.
  ["SQLITE_IOERR_WRITE", FULL],
  ["SQLITE_IOERR", FAULTY],
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
  ["EROFS", READ_ONLY],
  ["EIO", FAULTY],
  ["EMFILE", TOO_MANY_FILES],
  ["ENFILE", TOO_MANY_FILES],
];

/** Errors that concern only the file or folder they are reported for. */
const OF_ONE_PATH: readonly (readonly [code: string, Explanation])[] = [
  ["EFBIG", FULL],
  ["EACCES", READ_ONLY],
  ["EPERM", READ_ONLY],
  ["ENOENT", IMPOSSIBLE],
  ["ENAMETOOLONG", IMPOSSIBLE],
  ["ELOOP", IMPOSSIBLE],
  ["ENOTDIR", UNREADABLE],
  ["EEXIST", UNREADABLE],
  ["EBUSY", BUSY],
];

/**
 * An error of SQLite or of the file system as one sentence with the path and the remedy: a
 * StorageFault where nothing in the home can be written, another StillhouseError where only this
 * path is concerned, and the error itself where it is not a failure of storage.
 */
export function storageFailure(error: unknown, path: string): unknown {
  if (error instanceof StillhouseError || !(error instanceof Error)) return error;
  const code = "code" in error ? String(error.code) : "";
  const isIt = ([prefix]: readonly [string, Explanation]) => code.startsWith(prefix);
  // libsql reports a file that it cannot open without a code.
  const cannotOpen = error.message.startsWith("ConnectionFailed") ? UNREADABLE : undefined;
  const ofHome = cannotOpen ?? OF_THE_HOME.find(isIt)?.[1];
  if (ofHome) {
    const { kind, says, ...details } = ofHome;
    return new StorageFault(kind, `${path} ${says}`, { ...details, cause: error });
  }
  const ofPath = OF_ONE_PATH.find(isIt)?.[1];
  if (ofPath === undefined) return error;
  const { kind, says, retryable = false } = ofPath;
  return new StillhouseError(kind, `${path} ${says}`, { retryable, cause: error });
}
