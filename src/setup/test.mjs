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
import { pythonPath } from "./python-environment.mjs";

/**
 * Runs the tests of both languages, or those that the paths name.
 *
 * @param {string} root
 * @param {string[]} args
 * @returns {Promise<number>} 0 when all that ran passed
 */
export async function runTests(root, args) {
  const { typescript, python, options } = sortArguments(root, args);
  const all = typescript.length + python.length === 0;
  if (options.length > 0 && (all || (typescript.length > 0 && python.length > 0))) {
    throw new SetupError(
      `Options go to one runner: name a path under test/ or python_worker/tests beside ${options.join(" ")}`,
      2,
    );
  }
  if (all) return testBoth(root);
  const exitCodes = [];
  if (typescript.length > 0) exitCodes.push(await testTypeScript(root, typescript, options));
  if (python.length > 0) exitCodes.push(await testPython(root, python, options));
  return exitCodes.find((code) => code !== 0) ?? 0;
}

/**
 * Side by side, since neither keeps two cores busy. What Python's tests print is shown when those
 * of TypeScript are done.
 *
 * @param {string} root
 */
async function testBoth(root) {
  const folder = mkdtempSync(join(tmpdir(), "stillhouse-tests-"));
  const log = join(folder, "python.log");
  const outputFd = openSync(log, "w");
  try {
    // Several PyTorch processes with as many threads as cores would slow each other down.
    const env = { ...process.env, OMP_NUM_THREADS: process.env.OMP_NUM_THREADS ?? "1" };
    const python = testPython(root, [], [], { env, outputFd });
    const typescript = await testTypeScript(root, ["test"], [], { env });
    const codes = [typescript, await python];
    console.log(readFileSync(log, "utf8"));
    return codes.find((code) => code !== 0) ?? 0;
  } finally {
    closeSync(outputFd);
    rmSync(folder, { recursive: true, force: true });
  }
}

/**
 * @typedef {{ env?: NodeJS.ProcessEnv, outputFd?: number }} Surroundings
 */

/**
 * @param {string} root @param {string[]} paths @param {string[]} options
 * @param {Surroundings} [surroundings]
 */
function testTypeScript(root, paths, options, surroundings = {}) {
  const files = paths.flatMap((path) => testFiles(join(root, path)));
  if (files.length === 0) {
    throw new SetupError(`There is no test file (*.test.ts) in ${paths.join(", ")}`, 2);
  }
  const names = files.map((file) => relative(root, file));
  // Most of them wait for processes most of the time.
  const fixed = ["--import", "tsx", "--test", "--test-concurrency=2", "--test-reporter=spec"];
  return runForeground(process.execPath, [...fixed, ...options, ...names], {
    cwd: root,
    ...surroundings,
  });
}

/**
 * @param {string} root @param {string[]} paths @param {string[]} options
 * @param {Surroundings} [surroundings]
 */
function testPython(root, paths, options, surroundings = {}) {
  const cwd = join(root, "python_worker");
  const names = paths.map((path) => relative("python_worker", path));
  return runForeground(pythonPath(root), ["-m", "pytest", ...options, ...names], {
    cwd,
    ...surroundings,
  });
}

/** Node 20 finds no TypeScript tests by itself. @param {string} path @returns {string[]} */
function testFiles(path) {
  if (!statSync(path).isDirectory()) return [path];
  const names = readdirSync(path, { recursive: true, encoding: "utf8" });
  return names
    .filter((name) => name.endsWith(".test.ts"))
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
