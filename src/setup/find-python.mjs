import { SetupError } from "./failure.mjs";

export const OLDEST_PYTHON = /** @type {const} */ ([3, 11]);
const CANDIDATES = ["python3.13", "python3.12", "python3.11", "python3", "python"];

const PROBE = `
import importlib.util, json, sys
print(json.dumps({
    "version": list(sys.version_info[:3]),
    "executable": sys.executable,
    "missing": [name for name in ("venv", "ensurepip") if importlib.util.find_spec(name) is None],
}))`;

/**
 * @typedef {{ version: number[], executable: string, missing: string[] }} FoundPython
 * @typedef {(program: string, args: string[]) => Promise<import("./child.mjs").ChildResult>} Run
 */

/**
 * The first Python on the path that can create an environment.
 *
 * @param {NodeJS.ProcessEnv} env STILLHOUSE_PYTHON in it names the only candidate
 * @param {Run} run
 * @param {boolean} isRoot whether the suggested commands need no sudo
 * @returns {Promise<FoundPython>}
 * @throws {SetupError} naming what was found, and what to install
 */
export async function findPython(env, run, isRoot) {
  const named = env.STILLHOUSE_PYTHON;
  /** @type {FoundPython[]} */
  const found = [];
  for (const candidate of named ? [named] : CANDIDATES) {
    const python = await probe(candidate, run);
    if (!python) continue;
    if (isRecent(python) && python.missing.length === 0) return python;
    found.push(python);
  }
  throw new SetupError(describeLack(found, named, isRoot));
}

/** @param {string} program @param {Run} run @returns {Promise<FoundPython | undefined>} */
async function probe(program, run) {
  const { exitCode, output } = await run(program, ["-I", "-c", PROBE]);
  if (exitCode !== 0) return undefined;
  try {
    // A wrapper around Python may print lines of its own first.
    return JSON.parse(output.slice(output.indexOf("{")));
  } catch {
    // Some other program has this name.
    return undefined;
  }
}

/** @param {FoundPython} python */
function isRecent({ version: [major = 0, minor = 0] }) {
  return major > OLDEST_PYTHON[0] || (major === OLDEST_PYTHON[0] && minor >= OLDEST_PYTHON[1]);
}

/** @param {FoundPython[]} found @param {string | undefined} named @param {boolean} isRoot */
function describeLack(found, named, isRoot) {
  const sudo = isRoot ? "" : "sudo ";
  const lacking = found.find(isRecent);
  if (lacking) {
    const short = lacking.version.slice(0, 2).join(".");
    return `Python ${lacking.version.join(".")} (${lacking.executable}) lacks its module ${lacking.missing.join(" and ")}, which makes environments. Install it on Debian or Ubuntu with: ${sudo}apt-get install python${short}-venv`;
  }
  const there = found
    .map(({ version, executable }) => `${version.join(".")} (${executable})`)
    .filter((text, index, all) => all.indexOf(text) === index);
  const seen = there.length > 0 ? `; found only ${there.join(", ")}` : "";
  if (named) {
    return `STILLHOUSE_PYTHON=${named} is not Python ≥ ${OLDEST_PYTHON.join(".")}${seen}. Name such a Python, or unset it.`;
  }
  return `Stillhouse needs Python ≥ ${OLDEST_PYTHON.join(".")}${seen || ", and there is none on the PATH"}. Install it on Debian or Ubuntu with: ${sudo}apt-get install python3 python3-venv\nOn macOS: brew install python@3.13. Python elsewhere: STILLHOUSE_PYTHON=/path/to/python3 npm run setup`;
}
