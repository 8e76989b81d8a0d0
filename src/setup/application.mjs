import { existsSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

import { SetupError } from "./failure.mjs";
import { programFile } from "./program.mjs";

/**
 * Runs the program itself in this process, so that a signal reaches it directly.
 *
 * @param {string} root
 * @param {string[]} argv
 * @param {number} parent the process that started this one
 * @returns {Promise<undefined>} the program sets the exit code
 */
export async function runApplication(root, argv, parent) {
  const path = join(root, "src", "main.ts");
  if (!existsSync(path)) {
    throw new SetupError(`${path} is missing. Bring it back with: git checkout -- src/main.ts`);
  }
  // Only for those who look for a defect, since reading the maps takes time at every start.
  if (process.env.STILLHOUSE_DEBUG) process.setSourceMapsEnabled(true);
  const { main } = await import(pathToFileURL(programFile(root, "main.js")).href);
  await main(argv, parent);
}
