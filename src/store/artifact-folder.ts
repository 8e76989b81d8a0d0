import { createReadStream, existsSync, lstatSync, realpathSync } from "node:fs";
import { open, rename } from "node:fs/promises";
import { join, relative } from "node:path";
import { Readable } from "node:stream";
import { invalid, notFound } from "../errors.js";
import type { ArtifactStore, ArtifactUpload } from "../experiment/domain/storage-ports.js";
import type { ArtifactFile } from "../generated/stillhouse/v1/experiment.js";
import { FolderUpload } from "./artifact-upload.js";
import type { Trash } from "./trash.js";

/** A plain name: no folder, no hidden file. */
const FILE_NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/;
const MAX_FILES = 64;
/** Attention labels of every token are the largest files, some GB for many samples. */
const MAX_ARTIFACT_GIB = 64n;
const READ_CHUNK_BYTES = 256 * 1024;

/**
 * `HOME/artifacts/ARTIFACT_ID/`: the artifacts that experiments upload. A folder exists completely
 * or not at all.
 */
export class ArtifactFolder implements ArtifactStore {
  readonly #root: string;
  readonly #trash: Trash;

  constructor(root: string, trash: Trash) {
    this.#root = root;
    this.#trash = trash;
  }

  async begin(files: readonly ArtifactFile[]): Promise<ArtifactUpload> {
    checkFiles(files);
    const upload = await FolderUpload.begin(this.#root, files, this.#trash);
    return {
      write: (chunk) => upload.write(chunk),
      finish: async (id, experimentId) => {
        await upload.finish(() => this.#publish(upload.folder, id));
        return { id, experimentId, files: [...files] };
      },
      abort: () => upload.abort(),
    };
  }

  exists(artifactId: string): boolean {
    return existsSync(this.pathOf(artifactId));
  }

  pathOf(artifactId: string): string {
    checkName(artifactId, "artifact_id");
    return join(this.#root, artifactId);
  }

  read(artifactId: string, fileName: string, offset = 0, length?: number): Readable {
    checkName(fileName, "file_name");
    const path = join(this.pathOf(artifactId), fileName);
    if (this.#isOwnFile(path)) {
      if (length === 0) return Readable.from([]);
      // The end is inclusive.
      const end = length === undefined ? Number.POSITIVE_INFINITY : offset + length - 1;
      return createReadStream(path, { highWaterMark: READ_CHUNK_BYTES, start: offset, end });
    }
    throw notFound(`artifact ${artifactId} has no file ${JSON.stringify(fileName)}`, {
      field: "file_name",
    });
  }

  /** False for a link, be it the file or a folder above it, since it could lead anywhere. */
  #isOwnFile(path: string): boolean {
    if (!lstatSync(path, { throwIfNoEntry: false })?.isFile()) return false;
    return realpathSync(path) === join(realpathSync(this.#root), relative(this.#root, path));
  }

  remove(artifactId: string): boolean {
    return this.#trash.discard(this.pathOf(artifactId));
  }

  /** Removes what interrupted uploads left behind. */
  sweep(): void {
    FolderUpload.sweep(this.#root, this.#trash);
  }

  /** Moves an earlier folder away first, since a rename replaces no folder that is not empty. */
  async #publish(folder: string, artifactId: string): Promise<void> {
    const target = this.pathOf(artifactId);
    this.#trash.discard(target);
    await rename(folder, target);
    await syncFolder(this.#root);
  }
}

function checkFiles(files: readonly ArtifactFile[]): void {
  if (files.length === 0 || files.length > MAX_FILES) {
    throw invalid("files", `an artifact has 1 to ${MAX_FILES} files, got ${files.length}`);
  }
  const bytes = files.reduce((sum, { size }) => sum + size, 0n);
  if (bytes > MAX_ARTIFACT_GIB << 30n) {
    throw invalid(
      "files.size",
      `an artifact has at most ${MAX_ARTIFACT_GIB} GiB, got ${bytes} bytes`,
    );
  }
  const names = new Set<string>();
  for (const { name } of files) {
    checkName(name, "files.name");
    if (names.has(name)) throw invalid("files.name", `an artifact has the file ${name} twice`);
    names.add(name);
  }
}

function checkName(name: string, field: string): void {
  if (FILE_NAME.test(name)) return;
  throw invalid(
    field,
    `${field} must be a plain name of letters, digits, ".", "_" and "-", got ${JSON.stringify(name)}`,
  );
}

/** Ensures that the rename survives a loss of power. */
async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
