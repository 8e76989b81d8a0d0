import { spawn } from "node:child_process";
import { isatty } from "node:tty";

const SIGNALS = /** @type {const} */ (["SIGINT", "SIGTERM", "SIGHUP"]);
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
  const passOn = (/** @type {NodeJS.Signals} */ name) => {
    // Ctrl-C reaches the child by itself, as it reaches everything on this terminal.
    if (name !== "SIGINT" || !hasTerminal()) child.kill(name);
  };
  for (const name of SIGNALS) process.on(name, passOn);
  try {
    return await new Promise((resolve, reject) => {
      child.once("error", reject);
      child.once("exit", (code, signal) => resolve(code ?? EXIT_CODES[signal ?? ""] ?? 1));
    });
  } finally {
    for (const name of SIGNALS) process.off(name, passOn);
  }
}

function hasTerminal() {
  return [0, 1, 2].some((descriptor) => isatty(descriptor));
}
