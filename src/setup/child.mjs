import { spawn } from "node:child_process";
import { appendFileSync } from "node:fs";

import { Interrupted } from "./failure.mjs";

const GRACE_MS = 3000;
const KEPT_CHARACTERS = 20_000;

/**
 * @typedef {object} ChildOptions
 * @property {string} cwd
 * @property {NodeJS.ProcessEnv} env
 * @property {AbortSignal} signal ends the child and all that it started
 * @property {number} [inheritedFd] a descriptor the child holds open as its descriptor 3
 * @property {(line: string) => void} [onLine]
 * @property {string} [logPath] file to which the whole output is appended
 *
 * @typedef {{ exitCode: number, output: string }} ChildResult
 */

/**
 * Runs a program without a terminal, in a process group of its own so that it can be ended with
 * everything that it started.
 *
 * @param {string} program
 * @param {string[]} args
 * @param {ChildOptions} options
 * @returns {Promise<ChildResult>} exit code 127 when there is no such program
 */
export async function runChild(program, args, options) {
  if (options.signal.aborted) throw new Interrupted();
  const child = spawn(program, args, {
    cwd: options.cwd,
    env: options.env,
    detached: true,
    stdio: ["ignore", "pipe", "pipe", options.inheritedFd ?? "ignore"],
  });
  const output = collectOutput(child, options);
  const stop = () => endGroup(child);
  options.signal.addEventListener("abort", stop);
  try {
    const exitCode = await ended(child);
    if (options.signal.aborted) throw new Interrupted();
    return { exitCode, output: output() };
  } finally {
    options.signal.removeEventListener("abort", stop);
  }
}

/** @param {import("node:child_process").ChildProcess} child @returns {Promise<number>} */
function ended(child) {
  return new Promise((resolve, reject) => {
    child.once("error", (error) => {
      const code = "code" in error ? error.code : "";
      if (code === "ENOENT" || code === "EACCES") resolve(127);
      else reject(error);
    });
    // "close", not "exit": the last lines of the output arrive after the exit.
    child.once("close", (exitCode) => resolve(exitCode ?? 1));
  });
}

/**
 * Sends TERM to the whole group, and KILL to what is left of it after a grace period.
 *
 * @param {import("node:child_process").ChildProcess} child
 */
function endGroup(child) {
  signalGroup(child.pid, "SIGTERM");
  const timer = setTimeout(() => signalGroup(child.pid, "SIGKILL"), GRACE_MS);
  child.once("close", () => clearTimeout(timer));
}

/** @param {number | undefined} pid @param {NodeJS.Signals} signal */
function signalGroup(pid, signal) {
  if (pid === undefined) return;
  try {
    process.kill(-pid, signal);
  } catch {
    // The group is already gone.
  }
}

/**
 * @param {import("node:child_process").ChildProcess} child
 * @param {ChildOptions} options
 * @returns {() => string} returns the end of the output so far
 */
function collectOutput(child, { onLine, logPath }) {
  let kept = "";
  for (const stream of [child.stdout, child.stderr]) {
    let rest = "";
    stream?.setEncoding("utf8").on("data", (/** @type {string} */ text) => {
      if (logPath) appendFileSync(logPath, text);
      kept = (kept + text).slice(-KEPT_CHARACTERS);
      const lines = (rest + text).split(/[\r\n]+/);
      rest = lines.pop() ?? "";
      for (const line of lines) onLine?.(line);
    });
  }
  return () => kept;
}
