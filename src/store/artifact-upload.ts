import { createHash, type Hash } from "node:crypto";
import { type FileHandle, open } from "node:fs/promises";
import { join } from "node:path";
import { invalid } from "../errors.js";
import type { ArtifactUpload } from "../experiment/domain/storage-ports.js";
import type { Artifact, ArtifactFile } from "../generated/stillhouse/v1/experiment.js";
import { storageFailure } from "./storage-failure.js";

interface OpenFile {
  readonly expected: ArtifactFile;
  readonly handle: FileHandle;
  readonly hash: Hash;
  size: bigint;
}

/** What to do with the folder at the end. */
export interface UploadEnds {
  readonly publish: (artifactId: string) => Promise<void>;
  /** Does not throw. */
  readonly discard: () => void;
}

/** Writes the files of an artifact, in the order announced, into a folder that nobody reads yet. */
export class FolderUpload implements ArtifactUpload {
  readonly #folder: string;
  readonly #files: readonly ArtifactFile[];
  readonly #ends: UploadEnds;
  #position = 0;
  #current: OpenFile | undefined;

  constructor(folder: string, files: readonly ArtifactFile[], ends: UploadEnds) {
    this.#folder = folder;
    this.#files = files;
    this.#ends = ends;
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

  async finish(artifactId: string): Promise<Artifact> {
    return this.#guard(async () => {
      while (this.#current || this.#position < this.#files.length) {
        this.#current ??= await this.#openNext();
        await this.#closeCurrent();
      }
      await this.#ends.publish(artifactId);
      return { id: artifactId, experimentId: artifactId, files: [...this.#files] };
    });
  }

  async abort(): Promise<void> {
    await this.#current?.handle.close();
    this.#current = undefined;
    this.#ends.discard();
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
    const handle = await open(join(this.#folder, expected.name), "wx");
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
      throw storageFailure(error, this.#folder);
    }
  }
}
