import {
  createReadStream,
  existsSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { link, mkdtemp, rename, utimes, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { exhausted, notFound } from "../errors.js";
import type { ClientFolderStore, FolderFilesUpload } from "../experiment/domain/storage-ports.js";
import { ArtifactFile } from "../generated/stillhouse/v1/experiment.js";
import { FolderFiles } from "../generated/stillhouse/v1/service.js";
import { makeFolder } from "../make-folder.js";
import { folderIdOf, isFolderId, topOf } from "../settings/client-folder.js";
import { FolderUpload, UPLOAD_PREFIX } from "./artifact-upload.js";
import { freeBytesOf } from "./free-bytes.js";
import { storageFailure } from "./storage-failure.js";
import type { Trash } from "./trash.js";

const FILES = "files.binpb";
const CONTENT = "content";
/** Empty files that are named by the experiments that use the folder. */
const USED = "used";
/** Each file once, by its hash; folders have hard links to them. */
const BLOBS = "blobs";
const READ_CHUNK_BYTES = 256 * 1024;
const KEPT_FREE_BYTES = 256 << 20;
/** What no experiment names is kept for as long as a person may take to start one. */
const KEPT_UNUSED_MS = 24 * 3_600_000;

/** `HOME/folders/ID/content/NAME`: data sets and models that clients have sent. */
export class ClientFolders implements ClientFolderStore {
  readonly #root: string;
  readonly #trash: Pick<Trash, "discard">;
  readonly #freeBytes: () => number;

  constructor(root: string, trash: Pick<Trash, "discard">, freeBytes = () => freeBytesOf(root)) {
    this.#root = root;
    this.#trash = trash;
    this.#freeBytes = freeBytes;
  }

  has(folderId: string): boolean {
    return isFolderId(folderId) && existsSync(join(this.#root, folderId));
  }

  pathOf(folderId: string): string {
    return join(this.#root, folderId, CONTENT);
  }

  async missing(files: readonly ArtifactFile[], keeps: boolean): Promise<string[]> {
    const hashes = [...new Set(files.map(({ sha256 }) => sha256))];
    const missing = hashes.filter((sha256) => !existsSync(this.#blob(sha256)));
    if (!keeps) return missing;
    // What is there stays until the others have come.
    const now = new Date();
    const gone = new Set(missing);
    for (const sha256 of hashes) {
      if (!gone.has(sha256)) await utimes(this.#blob(sha256), now, now);
    }
    return missing;
  }

  async make(files: readonly ArtifactFile[]): Promise<string> {
    const folderId = folderIdOf(files);
    const target = join(this.#root, folderId);
    try {
      if (existsSync(target)) await utimes(target, new Date(), new Date());
      else await this.#assemble(files, target);
    } catch (error) {
      throw storageFailure(error, target);
    }
    return join(this.pathOf(folderId), topOf(files));
  }

  async begin(files: readonly ArtifactFile[]): Promise<FolderFilesUpload> {
    const needed = files.reduce((sum, { size }) => sum + Number(size), KEPT_FREE_BYTES);
    if (this.#freeBytes() < needed) {
      throw exhausted(`the disk of the control plane has no ${needed} bytes free for these files`);
    }
    makeFolder(join(this.#root, BLOBS));
    const named = files.map((file) => ({ ...file, name: file.sha256 }));
    const upload = await FolderUpload.begin(this.#root, named, this.#trash);
    return {
      write: (chunk) => upload.write(chunk),
      finish: async () => {
        await upload.finish(async () => {
          for (const { name } of named) await rename(join(upload.folder, name), this.#blob(name));
        });
        this.#trash.discard(upload.folder);
      },
      abort: () => upload.abort(),
    };
  }

  filesOf(folderId: string): ArtifactFile[] {
    if (this.has(folderId)) {
      return FolderFiles.decode(readFileSync(join(this.#root, folderId, FILES))).files;
    }
    throw notFound(`there is no folder ${folderId} of a client; send it again`);
  }

  async *read(folderId: string): AsyncGenerator<Uint8Array> {
    for (const { name } of this.filesOf(folderId)) {
      const path = join(this.pathOf(folderId), name);
      yield* createReadStream(path, { highWaterMark: READ_CHUNK_BYTES });
    }
  }

  use(folderIds: readonly string[], experimentId: string): void {
    for (const id of folderIds) {
      const mark = join(this.#root, id, USED, experimentId);
      try {
        if (this.has(id)) writeFileSync(mark, "");
      } catch (error) {
        throw storageFailure(error, mark);
      }
    }
  }

  /**
   * Removes interrupted uploads, and what no experiment has named for a day.
   *
   * @param isThere whether an experiment exists
   */
  sweep(isThere: (experimentId: string) => boolean, nowMs = Date.now()): void {
    const isOld = (path: string) => statSync(path).mtimeMs < nowMs - KEPT_UNUSED_MS;
    for (const id of readdirSync(this.#root).filter(isFolderId)) {
      const folder = join(this.#root, id);
      if (!this.#isUsed(folder, isThere, isOld) && isOld(folder)) this.#trash.discard(folder);
    }
    const blobs = join(this.#root, BLOBS);
    for (const name of existsSync(blobs) ? readdirSync(blobs) : []) {
      const path = join(blobs, name);
      // A file of a folder has another link there.
      if (statSync(path).nlink === 1 && isOld(path)) rmSync(path);
    }
  }

  /** Removes what interrupted uploads left behind. Only for a home that nobody uses. */
  sweepUploads(): void {
    FolderUpload.sweep(this.#root, this.#trash);
  }

  #isUsed(
    folder: string,
    isThere: (experimentId: string) => boolean,
    isOld: (path: string) => boolean,
  ): boolean {
    for (const experimentId of readdirSync(join(folder, USED))) {
      const mark = join(folder, USED, experimentId);
      // One that is young may be of an experiment that is just being stored.
      if (!isOld(mark) || isThere(experimentId)) return true;
      rmSync(mark);
    }
    return false;
  }

  async #assemble(files: readonly ArtifactFile[], target: string): Promise<void> {
    const draft = await mkdtemp(join(this.#root, UPLOAD_PREFIX));
    try {
      makeFolder(join(draft, USED));
      for (const { name, sha256 } of files) {
        const path = join(draft, CONTENT, name);
        makeFolder(dirname(path));
        await link(this.#blob(sha256), path);
      }
      const facts = files.map((file) => ArtifactFile.fromPartial(file));
      const bytes = FolderFiles.encode({ files: facts }).finish();
      await writeFile(join(draft, FILES), bytes, { flush: true });
      await rename(draft, target);
    } catch (error) {
      this.#trash.discard(draft);
      // Another call has made the same folder meanwhile.
      if (!existsSync(target)) throw error;
    }
  }

  #blob(sha256: string): string {
    return join(this.#root, BLOBS, sha256);
  }
}
