import { readFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const ROOT = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
/** How often the parent process is checked. */
const LOOK_MS = 500;
const WRITE_ONLY = 1;
const ACCESS_MODES = 3;

/**
 * @typedef {object} Start
 * @property {NodeJS.ProcessEnv} env
 * @property {string} script the script of package.json as which this process may run
 * @property {number} parent the process that started this one, as it was at the start
 */

/**
 * Calls `end` at each sign that this process should end: SIGINT, SIGTERM, SIGHUP, and the end of
 * the npm that runs it, which does not pass on every signal, and none when it is killed.
 *
 * A process that nohup started keeps running when its terminal is closed. Node resets SIGHUP at its
 * start, which nohup has set to be ignored, in npm as well as here, so npm ends with the terminal.
 *
 * @param {Start} start
 * @param {() => void} end may be called several times for one sign
 * @returns {() => void} stops listening
 */
export function listenForEnd({ env, script, parent }, end) {
  let hasLostTerminal = false;
  const hangUp = () => {
    if (isOfNohup(env)) hasLostTerminal = true;
    else end();
  };
  const signals = /** @type {const} */ ([
    ["SIGINT", end],
    ["SIGTERM", end],
    ["SIGHUP", hangUp],
  ]);
  for (const [signal, listener] of signals) process.on(signal, listener);
  const looking = setInterval(() => {
    if (process.ppid === parent) return;
    clearInterval(looking);
    if (!hasLostTerminal) end();
  }, LOOK_MS).unref();
  // Any other parent may end first: a shell in the background, or one that disowns this process.
  if (!isOfOwnNpm(env, script)) clearInterval(looking);
  return () => {
    clearInterval(looking);
    for (const [signal, listener] of signals) process.off(signal, listener);
  };
}

/**
 * Whether npm runs this script. An npm further up the process tree sets the variable too, but to
 * the name of its own script.
 *
 * @param {NodeJS.ProcessEnv} env
 * @param {string} script
 */
export function isOfNpm(env, script) {
  return env.npm_lifecycle_event === script && Boolean(env.INIT_CWD);
}

/** @param {NodeJS.ProcessEnv} env @param {string} script */
function isOfOwnNpm(env, script) {
  return isOfNpm(env, script) && env.npm_package_json === join(ROOT, "package.json");
}

/** Shells put the command into `_`; GNU nohup replaces a terminal by a stdin that is unreadable. */
function isOfNohup(/** @type {NodeJS.ProcessEnv} */ env) {
  return basename(env._ ?? "") === "nohup" || isUnreadableStdin();
}

function isUnreadableStdin() {
  try {
    const flags = /^flags:\s*([0-7]+)/m.exec(readFileSync("/proc/self/fdinfo/0", "utf8"))?.[1];
    return (Number.parseInt(flags ?? "0", 8) & ACCESS_MODES) === WRITE_ONLY;
  } catch {
    return false; // no Linux, or no stdin
  }
}
