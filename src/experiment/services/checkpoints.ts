import type { Readable } from "node:stream";
import { invalid, rateLimited } from "../../errors.js";
import type { Checkpoint } from "../../generated/stillhouse/v1/experiment.js";
import type {
  DownloadCheckpointRequest,
  UploadCheckpointRequest,
} from "../../generated/stillhouse/v1/service.js";
import type { Clock } from "../domain/ports.js";
import type { CheckpointStore } from "../domain/storage-ports.js";
import type { Dispatcher } from "../scheduling/dispatcher.js";
import { openUpload } from "./upload-chunks.js";

/** Workers of ours hand in three within this time, and what is new when they stop. */
const WINDOW_MS = 60_000;
const MAX_PER_WINDOW = 20;

export interface CheckpointsParts {
  readonly dispatcher: Pick<Dispatcher, "requireLease">;
  readonly store: CheckpointStore;
  readonly clock: Clock;
}

/** Takes in the checkpoints of running tasks, and gives them to later attempts. */
export class Checkpoints {
  readonly #parts: CheckpointsParts;
  /** When the last uploads of a task began, on the monotonic clock. */
  readonly #begun = new Map<string, readonly number[]>();

  constructor(parts: CheckpointsParts) {
    this.#parts = parts;
  }

  /**
   * Receives a checkpoint from the worker with the secret of the attempt. The attempt must be
   * current at the start and at the end, so that a worker that was given up meanwhile cannot
   * replace what its successor has handed in.
   *
   * @param parts a header, then chunks
   * @throws INVALID for a stream or a file that is not as announced, CONFLICT for an old attempt,
   *   PERMISSION_DENIED without the secret, RATE_LIMITED, EXHAUSTED
   */
  async receive(parts: AsyncIterable<UploadCheckpointRequest>): Promise<void> {
    const { dispatcher, store } = this.#parts;
    const { header, chunks } = await openUpload(parts);
    const { taskId } = dispatcher.requireLease("upload", header);
    this.#count(taskId);
    const upload = await store.begin(taskId, required(header.checkpoint));
    try {
      for await (const chunk of chunks) await upload.write(chunk);
      await upload.finish(() => dispatcher.requireLease("upload", header));
    } catch (error) {
      await upload.abort();
      throw error;
    }
  }

  /**
   * The bytes of a checkpoint, for the worker with the secret of the present attempt.
   *
   * @throws NOT_FOUND, CONFLICT, PERMISSION_DENIED
   */
  open(request: DownloadCheckpointRequest): Readable {
    const { dispatcher, store } = this.#parts;
    const { taskId } = dispatcher.requireLease("download", request);
    return store.read(taskId, required(request.checkpoint));
  }

  #count(taskId: string): void {
    const nowMs = this.#parts.clock.monotonicMs();
    for (const [id, times] of this.#begun) {
      if ((times.at(-1) ?? 0) < nowMs - WINDOW_MS) this.#begun.delete(id);
    }
    const recent = (this.#begun.get(taskId) ?? []).filter((ms) => ms > nowMs - WINDOW_MS);
    if (recent.length >= MAX_PER_WINDOW) {
      throw rateLimited(
        `task ${taskId} handed in ${recent.length} checkpoints within ${WINDOW_MS / 1000} s, which is the limit`,
      );
    }
    this.#begun.set(taskId, [...recent, nowMs]);
  }
}

function required(checkpoint: Checkpoint | undefined): Checkpoint {
  if (checkpoint) return checkpoint;
  throw invalid("checkpoint", "the request must say which checkpoint it is about");
}
