import { invalid } from "../../errors.js";
import type { Artifact } from "../../generated/stillhouse/v1/experiment.js";
import type { UploadArtifactRequest } from "../../generated/stillhouse/v1/service.js";
import type { ArtifactStore, ArtifactUpload } from "../domain/storage-ports.js";
import type { Dispatcher } from "../scheduling/dispatcher.js";

/**
 * Receives the artifact of a running task from the worker with the secret of the attempt. The
 * attempt must be current at the start and at the end of the stream, so that a worker that was
 * given up meanwhile cannot replace its successor's artifact.
 *
 * @param parts a header, then chunks
 * @throws INVALID for a stream or a file that is not as announced, CONFLICT for an old attempt,
 *   PERMISSION_DENIED without the secret
 */
export async function receiveArtifact(
  dispatcher: Pick<Dispatcher, "requireLease">,
  artifacts: ArtifactStore,
  parts: AsyncIterable<UploadArtifactRequest>,
): Promise<Artifact> {
  const iterator = parts[Symbol.asyncIterator]();
  const first = await iterator.next();
  const part = first.done ? undefined : first.value.part;
  if (part?.$case !== "header") throw invalid("", "an upload must begin with its header");
  const header = part.value;
  dispatcher.requireLease("upload", header);
  const upload = await artifacts.begin(header.files);
  try {
    await writeChunks(upload, iterator);
    const { experimentId } = dispatcher.requireLease("upload", header);
    return await upload.finish(experimentId);
  } catch (error) {
    await upload.abort();
    throw error;
  }
}

async function writeChunks(
  upload: ArtifactUpload,
  iterator: AsyncIterator<UploadArtifactRequest>,
): Promise<void> {
  for (let next = await iterator.next(); !next.done; next = await iterator.next()) {
    const { part } = next.value;
    if (part?.$case !== "chunk")
      throw invalid("", "only chunks may follow the header of an upload");
    await upload.write(part.value);
  }
}
