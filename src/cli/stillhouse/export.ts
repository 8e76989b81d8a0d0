import { createHash } from "node:crypto";
import { createWriteStream, existsSync, mkdirSync, readdirSync, renameSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
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
import { resultDocument } from "../results/result-document.js";
import type { Options } from "../terminal/command-line.js";
import type { Shape } from "./command.js";
import { allPoints, metricsCsv } from "./metric-export.js";
import { foundExperiment, printJson, type Session } from "./session.js";

export const EXPORT: Shape = {
  name: "export",
  argument: "<id>",
  description:
    "Writes an experiment to a folder: experiment.json, spec.json, result.json, events.jsonl, " +
    "metrics.json or metrics.csv, and the files of its artifact.",
  flags: [
    ["--out <folder>", "Target folder (default: stillhouse-ID); must be empty or not exist"],
    ["--metrics <which>", "json or csv (default: json)"],
  ],
};

/** The subcommand `export`. */
export async function exportExperiment(
  session: Session,
  prefix: string,
  options: Options,
): Promise<number> {
  const format = options.metrics ?? "json";
  if (format !== "json" && format !== "csv") {
    throw invalid("", `--metrics must be json or csv, got ${JSON.stringify(format)}`);
  }
  const { experiment, artifactPath } = await foundExperiment(session, prefix);
  const out = typeof options.out === "string" ? options.out : `stillhouse-${experiment.id}`;
  const folder = emptyFolder(resolve(session.userFolder, out));
  const files: string[] = [];
  const write = async (name: string, text: string) => {
    await writeFile(join(folder, name), text);
    files.push(name);
  };
  await write("experiment.json", json(GetExperimentResponse.toJSON({ experiment, artifactPath })));
  await write("spec.json", json(experiment.spec && ExperimentSpec.toJSON(experiment.spec)));
  await write("result.json", json(resultDocument(experiment, "")));
  await write("events.jsonl", await storedEvents(session, experiment.id));
  const series = await allPoints(session, experiment.id);
  if (format === "json") await write("metrics.json", json({ series }));
  else await write("metrics.csv", metricsCsv(series));
  files.push(...(await artifactFiles(session, experiment, folder)));
  if (session.isJson) printJson(session, { id: experiment.id, folder, files });
  else session.terminal.stdout.write(`${folder}\n${files.map((file) => `  ${file}\n`).join("")}`);
  return 0;
}

function emptyFolder(folder: string): string {
  try {
    makeFolder(folder);
    if (readdirSync(folder).length === 0) return folder;
  } catch (error) {
    throw invalid("", `--out: ${folder} cannot be made (${(error as NodeJS.ErrnoException).code})`);
  }
  throw invalid(
    "",
    `--out: ${folder} is not empty; name an empty folder or one that does not exist`,
  );
}

async function storedEvents({ connection }: Session, id: string): Promise<string> {
  const lines: string[] = [];
  for await (const event of connection.client.watch(id, 0n, undefined, true)) {
    if (event.sequence > 0n) lines.push(`${JSON.stringify(Event.toJSON(event))}\n`);
  }
  return lines.join("");
}

/** Also of an artifact that an earlier experiment made and this one took. */
async function artifactFiles(
  session: Session,
  { tasks }: Experiment,
  folder: string,
): Promise<string[]> {
  const artifact = tasks.map(({ result }) => artifactIn(result?.kind)).find(Boolean);
  if (artifact === undefined) return [];
  mkdirSync(join(folder, "artifact"));
  for (const file of artifact.files) await download(session, artifact, file, folder);
  return artifact.files.map(({ name }) => `artifact/${name}`);
}

type ResultKind = NonNullable<Experiment["tasks"][number]["result"]>["kind"];

function artifactIn(kind: ResultKind): Artifact | undefined {
  return kind?.$case === "distill" ? kind.value.artifact : undefined;
}

/** What was cut off or changed on its way never has the file's name. */
async function download(
  { connection }: Session,
  { id }: Artifact,
  { name, sha256 }: ArtifactFile,
  folder: string,
): Promise<void> {
  if (!/^[A-Za-z0-9][A-Za-z0-9._-]*$/.test(name)) throw damaged(name, "is no plain name");
  const path = join(folder, "artifact", name);
  const hash = createHash("sha256");
  const chunks = connection.client.download(id, name);
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
