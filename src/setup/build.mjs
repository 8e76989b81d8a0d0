import { existsSync } from "node:fs";
import { join } from "node:path";

import { runForeground } from "./foreground.mjs";

/**
 * Writes the dashboard to dist/dashboard.
 *
 * @param {string} root
 * @returns {Promise<number>}
 */
export async function runBuild(root) {
  const page = join(root, "src", "dashboard");
  if (!existsSync(join(page, "index.html"))) {
    console.log("This version has no dashboard: nothing to build.");
    return 0;
  }
  const vite = join(root, "node_modules", ".bin", "vite");
  const output = ["--outDir", join(root, "dist", "dashboard"), "--emptyOutDir"];
  return runForeground(vite, ["build", page, ...output], { cwd: root });
}
