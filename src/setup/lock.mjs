import { closeSync, mkdirSync, openSync } from "node:fs";
import { join } from "node:path";

import { runChild } from "./child.mjs";
import { SetupError } from "./failure.mjs";

const HELD_BY_ANOTHER = 75;

// Node cannot lock files, Python can. The lock belongs to the open file, not to the process that
// asked for it: Python locks the descriptor that it inherits from us as number 3 and ends, and our
// descriptor keeps the lock. The system releases it when this process and every child that
// inherited it have ended, for whatever reason, so it cannot go stale, and an npm or pip that
// outlives a killed set-up keeps the next one waiting until it is done.
const TAKE = `
import fcntl, sys
try:
    fcntl.flock(3, fcntl.LOCK_EX | (fcntl.LOCK_NB if sys.argv[1] == "try" else 0))
except BlockingIOError:
    sys.exit(${HELD_BY_ANOTHER})
`;

/**
 * Runs `body` while no other process of this project folder runs its own.
 *
 * @template Result
 * @param {string} python a Python program
 * @param {{ root: string, env: NodeJS.ProcessEnv, signal: AbortSignal, onWait: () => void }} options
 * @param {(lockFd: number) => Promise<Result>} body
 * @returns {Promise<Result>}
 */
export async function withLock(python, { root, env, signal, onWait }, body) {
  const folder = join(root, ".setup");
  mkdirSync(folder, { recursive: true });
  const lockFd = openSync(join(folder, "lock"), "a");
  const take = (/** @type {"try" | "wait"} */ how) =>
    runChild(python, ["-I", "-c", TAKE, how], { cwd: root, env, signal, inheritedFd: lockFd });
  try {
    let taken = await take("try");
    if (taken.exitCode === HELD_BY_ANOTHER) {
      onWait();
      taken = await take("wait");
    }
    if (taken.exitCode !== 0) throw new SetupError(`Cannot lock ${folder}: ${taken.output.trim()}`);
    return await body(lockFd);
  } finally {
    closeSync(lockFd);
  }
}
