import { createHash, type Hash } from "node:crypto";
import { readdirSync } from "node:fs";
import { type FileHandle, mkdtemp, open } from "node:fs/promises";
import { join } from "node:path";
import { invalid } from "../errors.js";
import type { ArtifactFile } from "../generated/stillhouse/v1/experiment.js";
import { storageFailure } from "./storage-failure.js";
import type { Trash } from "./trash.js";

interface OpenFile {
  readonly expected: ArtifactFile;
  readonly handle: FileHandle;
  readonly hash: Hash;
  size: bigint;
}

/** Uploads are written beside what they become, so that a rename stays within the file system. */
export const UPLOAD_PREFIX = ".upload-";

/** Writes announced files, in their order, into a folder that nobody reads yet. */
export class FolderUpload {
  readonly folder: string;
  readonly #files: readonly ArtifactFile[];
  readonly #trash: Pick<Trash, "discard">;
  #position = 0;
  #current: OpenFile | undefined;

  private constructor(
    folder: string,
    files: readonly ArtifactFile[],
    trash: Pick<Trash, "discard">,
  ) {
    this.folder = folder;
    this.#files = files;
    this.#trash = trash;
  }

  /** @param root the new folder lies in it */
  static async begin(
    root: string,
    files: readonly ArtifactFile[],
    trash: Pick<Trash, "discard">,
  ): Promise<FolderUpload> {
    try {
      return new FolderUpload(await mkdtemp(join(root, UPLOAD_PREFIX)), files, trash);
    } catch (error) {
      throw storageFailure(error, root);
    }
  }

  /** Removes what interrupted uploads left behind in a folder. */
  static sweep(root: string, trash: Pick<Trash, "discard">): void {
    for (const name of readdirSync(root)) {
      if (name.startsWith(UPLOAD_PREFIX)) trash.discard(join(root, name));
    }
  }

  async write(chunk: Uint8Array): Promise<void> {
    if (chunk.length === 0) return;
    await this.#guard(async () => {
      const file = await this.#fileForNextByte();
      if (file.size + BigInt(chunk.length) > file.expected.size) {
        throw invalid(
          "files",
          `${file.expected.name} is longer than its ${file.expected.size} bytes`,
        );
      }
      file.hash.update(chunk);
      file.size += BigInt(chunk.length);
      await file.handle.writeFile(chunk);
    });
  }

  /** Checks that all files are complete and have their hashes, then gives them their place. */
  async finish(publish: () => void | Promise<void>): Promise<void> {
    await this.#guard(async () => {
      while (this.#current || this.#position < this.#files.length) {
        this.#current ??= await this.#openNext();
        await this.#closeCurrent();
      }
      await publish();
    });
  }

  async abort(): Promise<void> {
    await this.#current?.handle.close();
    this.#current = undefined;
    this.#trash.discard(this.folder);
  }

  /** The first file that is not complete; creates the empty files before it. */
  async #fileForNextByte(): Promise<OpenFile> {
    for (;;) {
      this.#current ??= await this.#openNext();
      if (this.#current.size < this.#current.expected.size) return this.#current;
      await this.#closeCurrent();
    }
  }

  async #openNext(): Promise<OpenFile> {
    const expected = this.#files[this.#position++];
    if (!expected) throw invalid("files", "more bytes came than the header announces");
    const handle = await open(join(this.folder, expected.name), "wx");
    return { expected, handle, hash: createHash("sha256"), size: 0n };
  }

  async #closeCurrent(): Promise<void> {
    if (!this.#current) return;
    const { expected, handle, hash, size } = this.#current;
    this.#current = undefined;
    await handle.sync();
    await handle.close();
    if (size !== expected.size) {
      throw invalid("files", `${expected.name} ended after ${size} of its ${expected.size} bytes`);
    }
    const sha256 = hash.digest("hex");
    if (sha256 !== expected.sha256) {
      throw invalid(
        "files",
        `${expected.name} has the SHA-256 ${sha256}, announced was ${expected.sha256}`,
      );
    }
  }

  async #guard<Result>(action: () => Promise<Result>): Promise<Result> {
    try {
      return await action();
    } catch (error) {
      throw storageFailure(error, this.folder);
    }
  }
}
