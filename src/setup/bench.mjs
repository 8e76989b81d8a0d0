import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";

import { isOfNpm } from "./ending.mjs";
import { SetupError } from "./failure.mjs";
import { runForeground } from "./foreground.mjs";
import { pythonEnv, pythonModule } from "./python-env.mjs";
import { pythonPath } from "./python-environment.mjs";

/** The folders of benchmarks. Folders in them, and names that begin with "_", are only parts. */
const PYTHON_FOLDER = join("python_worker", "bench");
const TYPESCRIPT_FOLDER = join("test", "bench");

/**
 * Runs a benchmark by its name with dashes: a file of python_worker/bench or of test/bench.
 *
 * @param {string} root
 * @param {string[]} args the name, then the arguments of the benchmark
 * @returns {Promise<number>}
 */
export async function runBench(root, [name, ...args]) {
  const python = namesIn(join(root, PYTHON_FOLDER), ".py");
  const typescript = namesIn(join(root, TYPESCRIPT_FOLDER), ".ts");
  const list = [...python, ...typescript].sort().join(", ") || "none yet";
  if (name === undefined || name === "--help" || name === "-h") {
    console.log(`Benchmarks: ${list}\nUsage: npm run bench -- NAME [--help] [FLAGS]`);
    return 0;
  }
  if (typescript.includes(name)) {
    return runTypeScript(root, join(TYPESCRIPT_FOLDER, `${name}.ts`), args);
  }
  if (!python.includes(name)) {
    throw new SetupError(`There is no benchmark "${name}". Benchmarks: ${list}`, 2);
  }
  const module = `bench.${name.replaceAll("-", "_")}`;
  return runForeground(pythonPath(root), [...pythonModule(module), ...args], {
    cwd: userFolder(),
    env: pythonEnv(process.env),
  });
}

/**
 * Runs a TypeScript program that is not part of the product.
 *
 * @param {string} root
 * @param {string} file relative to the root
 * @param {string[]} args
 */
export function runTypeScript(root, file, args) {
  return runForeground(process.execPath, ["--import", "tsx", file, ...args], { cwd: root });
}

/** The user's working folder: npm runs scripts in the project's folder. */
function userFolder() {
  const { env } = process;
  return isOfNpm(env, "bench") ? (env.INIT_CWD ?? "") : process.cwd();
}

/** @param {string} folder @param {string} suffix @returns {string[]} */
function namesIn(folder, suffix) {
  if (!existsSync(folder)) return [];
  return readdirSync(folder)
    .filter((file) => file.endsWith(suffix) && !file.startsWith("_"))
    .map((file) => file.slice(0, -suffix.length).replaceAll("_", "-"));
}
