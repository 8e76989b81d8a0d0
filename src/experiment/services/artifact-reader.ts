import { permissionDenied } from "../../errors.js";
import type { DownloadArtifactRequest } from "../../generated/stillhouse/v1/service.js";
import type { Dispatcher } from "../scheduling/dispatcher.js";

/**
 * Lets a worker fetch the artifact that its task is about, and no other.
 *
 * @throws PERMISSION_DENIED, CONFLICT as `Dispatcher.requireLease`
 */
export function requireReader(
  dispatcher: Pick<Dispatcher, "requireLease" | "artifactFor">,
  request: DownloadArtifactRequest,
): void {
  const lease = dispatcher.requireLease("download", request);
  if (dispatcher.artifactFor(lease) === request.artifactId) return;
  throw permissionDenied(
    `task ${request.taskId} is not about the artifact ${JSON.stringify(request.artifactId)}; a worker fetches only that of its task`,
  );
}
