import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { dashboardFiles } from "./dashboards.js";

const FOLDER = fileURLToPath(new URL("../../docker/grafana/dashboards", import.meta.url));

for (const [name, text] of Object.entries(dashboardFiles())) {
  writeFileSync(join(FOLDER, name), text);
  console.log(`docker/grafana/dashboards/${name}`);
}
