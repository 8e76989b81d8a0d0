import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";

import { SetupError } from "./failure.mjs";
import { runForeground } from "./foreground.mjs";
import { pythonPath } from "./python-environment.mjs";

/**
 * Runs a benchmark, a file of python_worker/bench, by its name with dashes.
 *
 * @param {string} root
 * @param {string[]} args the name, then what the benchmark takes
 * @returns {Promise<number>}
 */
export async function runBench(root, [name, ...args]) {
  const names = benchmarks(root);
  const list = names.length > 0 ? names.join(", ") : "none yet";
  if (name === undefined) {
    console.log(`Benchmarks: ${list}\nUsage: npm run bench -- NAME`);
    return 0;
  }
  if (!names.includes(name)) {
    throw new SetupError(`There is no benchmark "${name}". Benchmarks: ${list}`, 2);
  }
  const file = join("bench", `${name.replaceAll("-", "_")}.py`);
  return runForeground(pythonPath(root), [file, ...args], { cwd: join(root, "python_worker") });
}

/** @param {string} root @returns {string[]} */
function benchmarks(root) {
  const folder = join(root, "python_worker", "bench");
  if (!existsSync(folder)) return [];
  return readdirSync(folder)
    .filter((file) => file.endsWith(".py") && !file.startsWith("_"))
    .map((file) => file.replace(/\.py$/, "").replaceAll("_", "-"))
    .sort();
}
