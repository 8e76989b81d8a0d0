import { existsSync } from "node:fs";
import { fromFailure, toFailure } from "../errors.js";
import { type Inspected, inspectedSchema } from "../report/inspected.js";
import type { Outcome } from "./group-runner.js";

/** Asks what distilled data holds; see `inspection.artifact`. */
export type InspectArtifact = (path: string, top: number) => Promise<unknown>;

/** Nearest tokens a position. */
const TOP = 5;

/**
 * Reads the distilled data of all outcomes that have some.
 *
 * One that cannot be read costs the report that part only.
 *
 * @returns what it holds, or why that is not known, by the id of the experiment.
 */
export async function inspectOutcomes(
  outcomes: readonly Outcome[],
  inspect: InspectArtifact,
): Promise<Map<string, Inspected | string>> {
  const contents = new Map<string, Inspected | string>();
  for (const { experiment, artifactPath } of outcomes) {
    if (artifactPath !== "") contents.set(experiment.id, await contentOf(artifactPath, inspect));
  }
  return contents;
}

async function contentOf(path: string, inspect: InspectArtifact): Promise<Inspected | string> {
  if (!existsSync(path)) return "It lies on the machine of the control plane: inspect it there.";
  try {
    return inspectedSchema.parse(await inspect(path, TOP));
  } catch (thrown) {
    return `It could not be inspected: ${fromFailure(toFailure(thrown)).message}`;
  }
}
