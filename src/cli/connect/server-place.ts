import type { ExperimentSpec } from "../../generated/stillhouse/v1/spec.js";
import { isDatasetPath } from "../../settings/dataset-path.js";
import type { NamedServer } from "./server-flags.js";

/** Says on which machine a server looks for a data set that is named by a path. */
export function serverPlaceNote(
  draft: ExperimentSpec,
  server: NamedServer | undefined,
): string | undefined {
  const { name = "", dataDir = "" } = draft.dataset ?? {};
  const place = [name, dataDir, draft.objective?.sourceName ?? ""].find(isDatasetPath);
  if (server === undefined || server.sends === true || place === undefined) return undefined;
  return `${place} is looked for on the machine of ${server.endpoint.address}`;
}
