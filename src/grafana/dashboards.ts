import type { Dashboard } from "@grafana/grafana-foundation-sdk/dashboard";
import { controlPlane } from "./control-plane.js";
import { experiments } from "./experiments.js";
import { workers } from "./workers.js";

const DASHBOARDS: readonly Dashboard[] = [controlPlane, workers, experiments];

/** What Grafana is provisioned with: JSON by the name of its file. */
export function dashboardFiles(): Readonly<Record<string, string>> {
  const files = DASHBOARDS.map((each) => [
    `${each.uid?.replace("stillhouse-", "")}.json`,
    `${JSON.stringify(each, null, 2)}\n`,
  ]);
  return Object.fromEntries(files);
}
