import { join } from "node:path";

import { runForeground } from "./foreground.mjs";

/**
 * Writes the dashboards of Grafana to docker/grafana/dashboards.
 *
 * @param {string} root
 * @returns {Promise<number>}
 */
export async function runGrafana(root) {
  const script = join("src", "grafana", "write-dashboards.ts");
  return runForeground(process.execPath, ["--import", "tsx", script], { cwd: root });
}
