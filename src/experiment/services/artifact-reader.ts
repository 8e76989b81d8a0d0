import { permissionDenied } from "../../errors.js";
import type { DownloadArtifactRequest } from "../../generated/stillhouse/v1/service.js";
import type { Dispatcher } from "../scheduling/dispatcher.js";

/**
 * Lets a worker fetch the artifacts that its task is about, and no others.
 *
 * @throws PERMISSION_DENIED, CONFLICT as `Dispatcher.requireLease`
 */
export function requireReader(
  dispatcher: Pick<Dispatcher, "requireLease" | "artifactsFor">,
  request: DownloadArtifactRequest,
): void {
  const lease = dispatcher.requireLease("download", request);
  if (dispatcher.artifactsFor(lease).includes(request.artifactId)) return;
  throw permissionDenied(
    `task ${request.taskId} is not about the artifact ${JSON.stringify(request.artifactId)}; a worker fetches only those of its task`,
  );
}
