import type { Artifact } from "../../generated/stillhouse/v1/experiment.js";
import type { UploadArtifactRequest } from "../../generated/stillhouse/v1/service.js";
import type { ArtifactStore } from "../domain/storage-ports.js";
import type { Dispatcher } from "../scheduling/dispatcher.js";
import { openUpload } from "./upload-chunks.js";

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
  dispatcher: Pick<Dispatcher, "requireLease" | "artifactIdOf">,
  artifacts: ArtifactStore,
  parts: AsyncIterable<UploadArtifactRequest>,
): Promise<Artifact> {
  const { header, chunks } = await openUpload(parts);
  dispatcher.requireLease("upload", header);
  const upload = await artifacts.begin(header.files);
  try {
    for await (const chunk of chunks) await upload.write(chunk);
    const lease = dispatcher.requireLease("upload", header);
    return await upload.finish(dispatcher.artifactIdOf(lease), lease.experimentId);
  } catch (error) {
    await upload.abort();
    throw error;
  }
}
