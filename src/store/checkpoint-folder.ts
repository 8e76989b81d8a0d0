import {
  createReadStream,
  lstatSync,
  mkdirSync,
  readdirSync,
  renameSync,
  unlinkSync,
} from "node:fs";
import { join } from "node:path";
import type { Readable } from "node:stream";
import { exhausted, invalid, notFound } from "../errors.js";
import type { CheckpointStore, CheckpointUpload } from "../experiment/domain/storage-ports.js";
import type { Checkpoint } from "../generated/stillhouse/v1/experiment.js";
import { FolderUpload } from "./artifact-upload.js";
import { freeBytesOf } from "./free-bytes.js";
import type { Trash } from "./trash.js";

/** As workers name them in a folder that they see. */
const FILE_NAME = /^([a-z]{1,32})-(\d{12})-([\da-f]{64})$/;
/** The state of the largest distilled data, attention labels of every token with Adam's moments. */
const MAX_CHECKPOINT_BYTES = 16n << 30n;
/** A task has its training, its finished learners, rates and chosen rows. */
const MAX_KINDS = 8;
/** A checkpoint is a convenience: it never takes the last of a disk that results need. */
const KEPT_FREE_BYTES = 256 << 20;
const READ_CHUNK_BYTES = 256 * 1024;

/**
 * `HOME/work/TASK/checkpoints/KIND-STEP-SHA256`: checkpoints that workers of other machines hand
 * in, and those of workers that see this folder.
 */
export class CheckpointFolder implements CheckpointStore {
  readonly #root: string;
  readonly #trash: Pick<Trash, "discard">;
  readonly #freeBytes: () => number;

  /** @param root the folder with a folder for each task */
  constructor(
    root: string,
    trash: Pick<Trash, "discard">,
    freeBytes: () => number = () => freeBytesOf(root),
  ) {
    this.#root = root;
    this.#trash = trash;
    this.#freeBytes = freeBytes;
  }

  async begin(taskId: string, checkpoint: Checkpoint): Promise<CheckpointUpload> {
    this.#check(taskId, checkpoint);
    const { size, sha256 } = checkpoint;
    const name = nameOf(checkpoint);
    const upload = await FolderUpload.begin(this.#root, [{ name, size, sha256 }], this.#trash);
    return {
      write: (chunk) => upload.write(chunk),
      finish: async (assertCurrent) => {
        await upload.finish(() => {
          assertCurrent();
          this.#publish(taskId, checkpoint, join(upload.folder, name));
        });
        this.#trash.discard(upload.folder);
      },
      abort: () => upload.abort(),
    };
  }

  newest(taskId: string): Checkpoint[] {
    const newest = new Map<string, Checkpoint>();
    for (const name of this.#names(taskId)) {
      const found = this.#checkpointOf(taskId, name);
      if (found && found.step >= (newest.get(found.kind)?.step ?? 0n))
        newest.set(found.kind, found);
    }
    return [...newest.values()];
  }

  read(taskId: string, checkpoint: Checkpoint): Readable {
    const name = nameOf(checkpoint);
    if (this.#checkpointOf(taskId, name) === undefined) {
      throw notFound(`task ${taskId} has no checkpoint ${JSON.stringify(name)}`);
    }
    return createReadStream(join(this.#folderOf(taskId), name), {
      highWaterMark: READ_CHUNK_BYTES,
    });
  }

  /** Removes what interrupted uploads left behind. */
  sweep(): void {
    FolderUpload.sweep(this.#root, this.#trash);
  }

  #check(taskId: string, checkpoint: Checkpoint): void {
    const { kind, size } = checkpoint;
    if (!FILE_NAME.test(nameOf(checkpoint))) {
      throw invalid(
        "checkpoint",
        `a checkpoint has a kind of at most 32 lower-case letters, a step below 10^12 and a SHA-256, got ${JSON.stringify(nameOf(checkpoint))}`,
      );
    }
    if (size > MAX_CHECKPOINT_BYTES) {
      throw invalid(
        "checkpoint.size",
        `a checkpoint has at most ${MAX_CHECKPOINT_BYTES} bytes, got ${size}`,
      );
    }
    const kinds = new Set([kind, ...this.newest(taskId).map((each) => each.kind)]);
    if (kinds.size > MAX_KINDS) {
      throw invalid("checkpoint.kind", `a task has checkpoints of at most ${MAX_KINDS} kinds`);
    }
    const needed = Number(size) + KEPT_FREE_BYTES;
    if (this.#freeBytes() >= needed) return;
    throw exhausted(`the disk of the control plane has no ${needed} bytes free for a checkpoint`, {
      retryable: true,
    });
  }

  /** The folder of a task that has ended is gone, and is not made again. */
  #publish(taskId: string, checkpoint: Checkpoint, from: string): void {
    const folder = this.#folderOf(taskId);
    const name = nameOf(checkpoint);
    try {
      mkdirSync(folder);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
    }
    renameSync(from, join(folder, name));
    for (const other of this.#names(taskId)) {
      if (other === name || FILE_NAME.exec(other)?.[1] !== checkpoint.kind) continue;
      unlinkSync(join(folder, other));
    }
  }

  #names(taskId: string): string[] {
    try {
      return readdirSync(this.#folderOf(taskId));
    } catch {
      // Most tasks have none.
      return [];
    }
  }

  /** Undefined for what is no file of this folder's own, such as a link, which may lead anywhere. */
  #checkpointOf(taskId: string, name: string): Checkpoint | undefined {
    const parts = FILE_NAME.exec(name);
    const found = lstatSync(join(this.#folderOf(taskId), name), { throwIfNoEntry: false });
    if (parts === null || !found?.isFile()) return undefined;
    const [, kind = "", step = "", sha256 = ""] = parts;
    return { kind, step: BigInt(step), size: BigInt(found.size), sha256 };
  }

  #folderOf(taskId: string): string {
    return join(this.#root, taskId, "checkpoints");
  }
}

function nameOf({ kind, step, sha256 }: Checkpoint): string {
  return `${kind}-${String(step).padStart(12, "0")}-${sha256}`;
}
