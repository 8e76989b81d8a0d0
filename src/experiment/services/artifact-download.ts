import type { Readable } from "node:stream";
import { invalid, notFound, type StillhouseError } from "../../errors.js";
import type { ArtifactFile } from "../../generated/stillhouse/v1/experiment.js";
import type { DownloadArtifactRequest } from "../../generated/stillhouse/v1/service.js";
import type { ArtifactStore, ExperimentStore } from "../domain/storage-ports.js";

export interface ArtifactFileParts {
  readonly store: Pick<ExperimentStore, "findArtifact">;
  readonly artifacts: Pick<ArtifactStore, "read">;
}

export interface OpenedFile {
  /** Size and hash of the whole file. */
  readonly file: ArtifactFile;
  /** The bytes that were asked for. */
  readonly bytes: Readable;
}

/**
 * Opens a part of a file of an artifact.
 *
 * @throws NOT_FOUND for a file that no stored result names, INVALID for a part beyond its end
 */
export function openArtifactFile(
  { store, artifacts }: ArtifactFileParts,
  { artifactId, fileName, offset, length }: DownloadArtifactRequest,
): OpenedFile {
  const file = artifactFile(store, artifactId, fileName);
  if (offset > file.size) {
    throw invalid(
      "offset",
      `offset must be at most ${file.size}, the size of ${fileName}, got ${offset}`,
    );
  }
  const rest = file.size - offset;
  const wanted = length === 0n || length > rest ? rest : length;
  const bytes = artifacts.read(artifactId, fileName, Number(offset), Number(wanted));
  return { file, bytes };
}

/** Throws NOT_FOUND for a file that no stored result names. */
export function artifactFile(
  store: Pick<ExperimentStore, "findArtifact">,
  artifactId: string,
  fileName: string,
): ArtifactFile {
  const file = store.findArtifact(artifactId)?.files.find(({ name }) => name === fileName);
  if (file === undefined) throw missing(artifactId, fileName);
  return file;
}

function missing(artifactId: string, fileName: string): StillhouseError {
  return notFound(
    `there is no artifact ${JSON.stringify(artifactId)} with a file ${JSON.stringify(fileName)}`,
    { field: "file_name" },
  );
}
