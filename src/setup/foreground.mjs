import { spawn } from "node:child_process";

const PASSED_ON = /** @type {const} */ (["SIGTERM", "SIGHUP"]);
const EXIT_CODES = /** @type {Record<string, number>} */ ({
  SIGINT: 130,
  SIGTERM: 143,
  SIGHUP: 129,
});

/**
 * Runs a tool on this terminal and waits for its end, whatever signal arrives meanwhile.
 *
 * @param {string} program
 * @param {string[]} args
 * @param {{ cwd: string, env?: NodeJS.ProcessEnv, outputFd?: number }} options `outputFd` takes what
 *   it prints, in place of the terminal
 * @returns {Promise<number>} its exit code
 */
export async function runForeground(program, args, { cwd, env, outputFd }) {
  const output = outputFd ?? "inherit";
  const child = spawn(program, args, { cwd, env, stdio: ["inherit", output, output] });
  const passOn = (/** @type {NodeJS.Signals} */ name) => child.kill(name);
  // Ctrl-C reaches the child by itself, as it reaches everything on this terminal.
  const ignore = () => {};
  process.on("SIGINT", ignore);
  for (const name of PASSED_ON) process.on(name, passOn);
  try {
    return await new Promise((resolve, reject) => {
      child.once("error", reject);
      child.once("exit", (code, signal) => resolve(code ?? EXIT_CODES[signal ?? ""] ?? 1));
    });
  } finally {
    process.off("SIGINT", ignore);
    for (const name of PASSED_ON) process.off(name, passOn);
  }
}
