import {
  closeSync,
  existsSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join, relative, resolve, sep } from "node:path";

import { SetupError } from "./failure.mjs";
import { runForeground } from "./foreground.mjs";
import { pythonEnv } from "./python-env.mjs";
import { pythonPath } from "./python-environment.mjs";
import { groupTestFiles } from "./test-groups.mjs";

/**
 * Which tests of a folder run: the quick ones, or those that take minutes (files `*.long.test.ts`,
 * tests of Python marked `long`).
 *
 * @typedef {"quick" | "long"} Length
 */

/** pytest's exit code where no test was selected: a file may have none of a length. */
const PYTEST_FOUND_NONE = 5;

/**
 * Runs the tests of both languages, or those that the paths name.
 *
 * @param {string} root
 * @param {string[]} args
 * @param {Length} length
 * @returns {Promise<number>} 0 when all that ran passed
 */
export async function runTests(root, args, length) {
  const { typescript, python, options } = sortArguments(root, args);
  const all = typescript.length + python.length === 0;
  if (options.length > 0 && (all || (typescript.length > 0 && python.length > 0))) {
    throw new SetupError(
      `Options go to one runner: name a path under test/ or python_worker/tests beside ${options.join(" ")}`,
      2,
    );
  }
  if (all) return testBoth(root, length);
  const exitCodes = [];
  const chosen = { length, options };
  if (typescript.length > 0) exitCodes.push(await testTypeScript(root, typescript, chosen));
  if (python.length > 0) exitCodes.push(await testPython(root, python, chosen));
  return exitCodes.find((code) => code !== 0) ?? 0;
}

/**
 * Runs both side by side, since neither keeps two cores busy. The output of Python's tests is shown
 * when those of TypeScript are done.
 *
 * @param {string} root
 * @param {Length} length
 */
async function testBoth(root, length) {
  const folder = mkdtempSync(join(tmpdir(), "stillhouse-tests-"));
  const log = join(folder, "python.log");
  const outputFd = openSync(log, "w");
  try {
    // Several PyTorch processes with as many threads as cores would slow each other down.
    const env = { ...process.env, OMP_NUM_THREADS: process.env.OMP_NUM_THREADS ?? "1" };
    const python = testPython(root, [], { length, env, outputFd });
    const typescript = await testAllTypeScript(root, { length, env });
    const codes = [typescript, await python];
    console.log(readFileSync(log, "utf8"));
    return codes.find((code) => code !== 0) ?? 0;
  } finally {
    closeSync(outputFd);
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Runs all tests of a length, of which there may be none. @param {string} root @param {Run} run */
function testAllTypeScript(root, run) {
  if (testFiles(join(root, "test"), run.length).length === 0) return 0;
  return testTypeScript(root, ["test"], run);
}

/**
 * @typedef {{ length: Length, options?: string[], env?: NodeJS.ProcessEnv, outputFd?: number }} Run
 *   `options` are those of the runner
 */

/** @param {string} root @param {string[]} paths @param {Run} run */
async function testTypeScript(root, paths, { length, options = [], ...surroundings }) {
  const named = paths.map((path) => join(root, path));
  const files = named.flatMap((path) => testFiles(path, length));
  if (files.length === 0) {
    throw new SetupError(
      `There is no ${length} test file (${NAMES[length]}) in ${paths.join(", ")}`,
      2,
    );
  }
  const folder = mkdtempSync(join(tmpdir(), "stillhouse-tests-"));
  // Three at a time on two cores, since most of them wait for processes most of the time.
  const fixed = ["--import", "tsx", "--test", "--test-concurrency=3", "--test-reporter=spec"];
  try {
    const inFolders = files.filter((file) => !named.includes(file));
    const alone = files.filter((file) => named.includes(file));
    const entries = [...groupTestFiles(root, inFolders, folder), ...alone];
    const places = entries.map((entry) => relative(root, entry));
    return await runForeground(process.execPath, [...fixed, ...options, ...places], {
      cwd: root,
      ...surroundings,
    });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** @param {string} root @param {string[]} paths @param {Run} run */
async function testPython(root, paths, { length, options = [], ...surroundings }) {
  const cwd = join(root, "python_worker");
  const names = paths.map((path) => relative("python_worker", path));
  const args = ["-m", "pytest", ...marked(paths, length), ...options, ...names];
  const env = pythonEnv(surroundings.env ?? process.env);
  const code = await runForeground(pythonPath(root), args, { cwd, ...surroundings, env });
  return code === PYTEST_FOUND_NONE && length === "long" ? 0 : code;
}

/**
 * pyproject.toml selects the quick tests. A test that is named runs in any case.
 *
 * @param {string[]} paths @param {Length} length
 */
function marked(paths, length) {
  if (paths.length > 0 && paths.every((path) => path.includes("::"))) return ["-m", ""];
  return length === "long" ? ["-m", "long"] : [];
}

const NAMES = { quick: "*.test.ts", long: "*.long.test.ts" };

/**
 * The test files in a folder, since Node 20 does not find TypeScript tests by itself.
 *
 * @param {string} path a folder; a file that is named runs in any case
 * @param {Length} length
 * @returns {string[]}
 */
export function testFiles(path, length) {
  if (!statSync(path).isDirectory()) return [path];
  const names = readdirSync(path, { recursive: true, encoding: "utf8" });
  return names
    .filter((name) => name.endsWith(".test.ts"))
    .filter((name) => name.endsWith(".long.test.ts") === (length === "long"))
    .sort()
    .map((name) => join(path, name));
}

/** @param {string} root @param {string[]} args */
function sortArguments(root, args) {
  /** @type {{ typescript: string[], python: string[], options: string[] }} */
  const sorted = { typescript: [], python: [], options: [] };
  for (const arg of args) {
    if (arg.startsWith("-")) sorted.options.push(arg);
    else sorted[languageOf(root, arg)].push(relative(root, resolve(root, arg)));
  }
  return sorted;
}

/** @param {string} root @param {string} path @returns {"typescript" | "python"} */
function languageOf(root, path) {
  const [file = ""] = path.split("::");
  const place = relative(root, resolve(root, file));
  if (existsSync(join(root, place))) {
    if (isWithin(place, "test")) return "typescript";
    if (isWithin(place, join("python_worker", "tests"))) return "python";
  }
  throw new SetupError(
    `"${path}" is no test: name a file or folder under test/ or python_worker/tests`,
    2,
  );
}

/** @param {string} path @param {string} folder */
function isWithin(path, folder) {
  return path === folder || path.startsWith(folder + sep);
}
