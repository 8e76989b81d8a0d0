import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { invalid } from "../../errors.js";
import type { ArtifactFile, Experiment } from "../../generated/stillhouse/v1/experiment.js";
import { GetExperimentResponse } from "../../generated/stillhouse/v1/service.js";
import type { Row } from "../../results/rows.js";
import { artifactOf, resultOf } from "../results/result.js";
import { ARTIFACT_FOLDER, EXPERIMENT_FILE } from "../run/export-folder.js";
import { readNamedFile } from "../terminal/named-file.js";

/** What the folder of an exported experiment says that its distilled data does. */
export interface Claim {
  readonly experiment: Experiment;
  readonly distilled: Row;
  /** Absent where it was not measured. */
  readonly full: Row | undefined;
  readonly artifactFolder: string;
}

/**
 * Reads the folder of an exported experiment.
 *
 * @param folder absolute path
 * @param named the folder as the person named it
 * @throws StillhouseError INVALID where it is no export of distilled data that was measured, and
 *   where a file of the artifact is not the one that was measured
 */
export function readClaim(folder: string, named: string): Claim {
  const experiment = experimentIn(folder, named);
  const artifact = artifactOf(experiment);
  const rows = resultOf(experiment).rows.filter(({ isComplete }) => isComplete);
  const distilled = rows.find(({ kind }) => kind === "distilled");
  if (artifact === undefined || distilled === undefined || distilled.learners.size === 0) {
    throw invalid("", `${named}: experiment ${experiment.id} has no distilled data with learners`);
  }
  const artifactFolder = join(folder, ARTIFACT_FOLDER);
  for (const file of artifact.files) requireFile(artifactFolder, named, file);
  return { experiment, distilled, full: rows.find(({ id }) => id === "full"), artifactFolder };
}

function experimentIn(folder: string, named: string): Experiment {
  const name = `${named}/${EXPERIMENT_FILE}`;
  const text = readNamedFile("FOLDER", join(folder, EXPERIMENT_FILE), name);
  try {
    const { experiment } = GetExperimentResponse.fromJSON(JSON.parse(text));
    if (experiment?.id) return experiment;
  } catch {
    // Whatever it is, it is no export.
  }
  throw invalid("", `${name} is not what npm run stillhouse -- export writes`);
}

function requireFile(folder: string, named: string, { name, sha256 }: ArtifactFile): void {
  const shown = `${named}/${ARTIFACT_FOLDER}/${name}`;
  let bytes: Buffer;
  try {
    bytes = readFileSync(join(folder, name));
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw invalid("", `${shown} cannot be read (${code})`);
  }
  if (createHash("sha256").update(bytes).digest("hex") === sha256) return;
  throw invalid("", `${shown} is not the file that was measured: its SHA-256 is another`);
}
