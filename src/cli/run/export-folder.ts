import { createHash } from "node:crypto";
import { createWriteStream, existsSync, mkdirSync, readdirSync, renameSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { environment, invalid, type StillhouseError } from "../../errors.js";
import {
  type Artifact,
  type ArtifactFile,
  Event,
  type Experiment,
} from "../../generated/stillhouse/v1/experiment.js";
import { GetExperimentResponse } from "../../generated/stillhouse/v1/service.js";
import { ExperimentSpec } from "../../generated/stillhouse/v1/spec.js";
import { makeFolder } from "../../make-folder.js";
import type { Connection } from "../connect/connection.js";
import { artifactOf } from "../results/result.js";
import { resultDocument } from "../results/result-document.js";
import type { Outcome } from "./experiment-runner.js";
import { allPoints, metricsCsv } from "./metric-export.js";

/** In a folder of an export: what the control plane says of the experiment, and its artifact. */
export const EXPERIMENT_FILE = "experiment.json";
export const ARTIFACT_FOLDER = "artifact";

/**
 * Writes an experiment to a folder, so that others can look at it and verify it.
 *
 * @param folder empty, see `emptyFolder`
 * @returns the names of the files in it
 * @throws StillhouseError ENVIRONMENT for a file of the artifact that came damaged
 */
export async function exportToFolder(
  connection: Connection,
  { experiment, artifactPath }: Outcome,
  folder: string,
  format: "json" | "csv" = "json",
): Promise<string[]> {
  const files: string[] = [];
  const write = async (name: string, text: string) => {
    await writeFile(join(folder, name), text);
    files.push(name);
  };
  await write(EXPERIMENT_FILE, json(GetExperimentResponse.toJSON({ experiment, artifactPath })));
  await write("spec.json", json(experiment.spec && ExperimentSpec.toJSON(experiment.spec)));
  await write("result.json", json(resultDocument(experiment, "")));
  await write("events.jsonl", await storedEvents(connection, experiment.id));
  const series = await allPoints(connection, experiment.id);
  if (format === "json") await write("metrics.json", json({ series }));
  else await write("metrics.csv", metricsCsv(series));
  files.push(...(await artifactFiles(connection, experiment, folder)));
  return files;
}

/**
 * Makes the folder if it does not exist.
 *
 * @param flag that names it
 * @throws StillhouseError INVALID where it cannot be made, or holds anything
 */
export function emptyFolder(folder: string, flag: string): string {
  try {
    makeFolder(folder);
    if (readdirSync(folder).length === 0) return folder;
  } catch (error) {
    throw invalid(
      "",
      `${flag}: ${folder} cannot be made (${(error as NodeJS.ErrnoException).code})`,
    );
  }
  throw invalid(
    "",
    `${flag}: ${folder} is not empty; name an empty folder or one that does not exist`,
  );
}

async function storedEvents({ client }: Connection, id: string): Promise<string> {
  const lines: string[] = [];
  for await (const event of client.watch(id, 0n, undefined, true)) {
    if (event.sequence > 0n) lines.push(`${JSON.stringify(Event.toJSON(event))}\n`);
  }
  return lines.join("");
}

/** Also of an artifact that an earlier experiment made and this one took. */
async function artifactFiles(
  connection: Connection,
  experiment: Experiment,
  folder: string,
): Promise<string[]> {
  const artifact = artifactOf(experiment);
  if (artifact === undefined) return [];
  mkdirSync(join(folder, ARTIFACT_FOLDER));
  for (const file of artifact.files) await download(connection, artifact, file, folder);
  return artifact.files.map(({ name }) => `${ARTIFACT_FOLDER}/${name}`);
}

/** What was cut off or changed on its way never has the file's name. */
async function download(
  { client }: Connection,
  { id }: Artifact,
  { name, sha256 }: ArtifactFile,
  folder: string,
): Promise<void> {
  if (!/^[A-Za-z0-9][A-Za-z0-9._-]*$/.test(name)) throw damaged(name, "is no plain name");
  const path = join(folder, ARTIFACT_FOLDER, name);
  const hash = createHash("sha256");
  const chunks = client.download(id, name);
  const hashed = async function* () {
    for await (const chunk of chunks) {
      hash.update(chunk);
      yield chunk;
    }
  };
  await pipeline(Readable.from(hashed()), createWriteStream(`${path}.part`));
  if (hash.digest("hex") !== sha256) throw damaged(name, "came damaged: its SHA-256 is another");
  if (!existsSync(path)) renameSync(`${path}.part`, path);
}

function damaged(name: string, what: string): StillhouseError {
  return environment(`the file ${JSON.stringify(name)} of the artifact ${what}`, {
    retryable: true,
  });
}

function json(document: unknown): string {
  return `${JSON.stringify(document ?? null, null, 2)}\n`;
}
