import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { notFound } from "../errors.js";
import { ArtifactFile } from "../generated/stillhouse/v1/experiment.js";
import { ArtifactFolder } from "./artifact-folder.js";
import { makeHome } from "./home.js";
import { Trash } from "./trash.js";

const FILES = ["distilled.safetensors", "manifest.json"];
const ID_LENGTH = 10;

/**
 * Copies an artifact from any folder into a home. Importing the same files again gives the same
 * artifact.
 *
 * @returns its id there, which follows from its manifest
 * @throws StillhouseError NOT_FOUND when the folder holds no artifact
 */
export async function importArtifact(home: string, folder: string): Promise<string> {
  const contents = await Promise.all(FILES.map((name) => contentOf(folder, name)));
  const hashes = contents.map((bytes) => createHash("sha256").update(bytes).digest("hex"));
  const artifactId = (hashes.at(-1) as string).slice(0, ID_LENGTH);
  const paths = makeHome(home);
  const artifacts = new ArtifactFolder(paths.artifacts, new Trash(paths.trash));
  if (artifacts.exists(artifactId)) return artifactId;
  const files = FILES.map((name, at) =>
    ArtifactFile.fromPartial({
      name,
      size: BigInt(contents[at]?.length ?? 0),
      sha256: hashes[at] as string,
    }),
  );
  const upload = await artifacts.begin(files);
  try {
    for (const bytes of contents) await upload.write(bytes);
    await upload.finish(artifactId, artifactId);
  } catch (error) {
    await upload.abort();
    throw error;
  }
  return artifactId;
}

async function contentOf(folder: string, name: string): Promise<Buffer> {
  try {
    return await readFile(join(folder, name));
  } catch {
    throw notFound(`no artifact at ${folder}: it has no ${name}`, { field: "artifact" });
  }
}
