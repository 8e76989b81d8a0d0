import { permissionDenied } from "../errors.js";
import type { Identity } from "./identity.js";
import { type Rung, reaches } from "./role.js";

/** Who may call a method. */
export interface Access {
  /** The least role; "anyone" needs no token. */
  readonly role: Rung | "anyone";
  /** Whether workers may call it besides. */
  readonly workers?: true;
  /** Whether it changes something, so that it leaves a line in the audit log. */
  readonly isChange?: true;
}

const READ: Access = { role: "read" };
const SUBMIT: Access = { role: "submit", isChange: true };
const ADMIN: Access = { role: "admin", isChange: true };
const ANYONE: Access = { role: "anyone" };

/**
 * Every method of every service, by its gRPC path, and what only HTTP has, by the path there; a
 * method that is not here is refused.
 */
export const ACCESS: Readonly<Record<string, Access>> = {
  // It stores nothing, but may download a data set or a model.
  "/stillhouse.v1.ExperimentService/ResolveExperiment": { role: "submit" },
  "/stillhouse.v1.ExperimentService/CreateExperiment": SUBMIT,
  "/stillhouse.v1.ExperimentService/GetExperiment": READ,
  "/stillhouse.v1.ExperimentService/ListExperiments": READ,
  "/stillhouse.v1.ExperimentService/WatchExperiment": READ,
  "/stillhouse.v1.ExperimentService/CancelExperiment": SUBMIT,
  "/stillhouse.v1.ExperimentService/ResumeExperiment": SUBMIT,
  "/stillhouse.v1.ExperimentService/RetryExperiment": SUBMIT,
  "/stillhouse.v1.ExperimentService/DeleteExperiment": ADMIN,
  "/stillhouse.v1.ExperimentService/CompareExperiments": READ,
  "/stillhouse.v1.MetricService/ListMetrics": READ,
  "/stillhouse.v1.MetricService/GetMetricSeries": READ,
  "/stillhouse.v1.SweepService/CreateSweep": SUBMIT,
  "/stillhouse.v1.SweepService/GetSweep": READ,
  "/stillhouse.v1.SweepService/ListSweeps": READ,
  "/stillhouse.v1.WorkerService/ListWorkers": READ,
  "/stillhouse.v1.WorkerService/DrainWorker": ADMIN,
  "/stillhouse.v1.ArtifactService/UploadArtifact": { role: "admin", workers: true, isChange: true },
  "/stillhouse.v1.ArtifactService/DownloadArtifact": { role: "read", workers: true },
  // What watches over processes has no token and learns only that this one is there.
  "/grpc.health.v1.Health/Check": ANYONE,
  "/grpc.health.v1.Health/List": ANYONE,
  "/grpc.health.v1.Health/Watch": ANYONE,
  "/api/v1/settings": READ,
  "/api/v1/whoami": READ,
  "/metrics": READ,
  "/api/v1/openapi.json": ANYONE,
  "/healthz": ANYONE,
  "/readyz": ANYONE,
  "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo": READ,
  "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo": READ,
};

/** The row of a method. @throws PERMISSION_DENIED for one that has none */
export function accessTo(method: string): Access {
  const access = Object.hasOwn(ACCESS, method) ? ACCESS[method] : undefined;
  if (access) return access;
  throw permissionDenied(`nobody may call ${method}`);
}

/** @throws PERMISSION_DENIED when the identity may not call the method */
export function requireAccess(identity: Identity, method: string): void {
  const { role, workers } = accessTo(method);
  if (role === "anyone" || reaches(identity.role, role)) return;
  if (workers && identity.role === "worker") return;
  const name = method.slice(method.lastIndexOf("/") + 1);
  throw permissionDenied(
    `${name} needs a token of the role ${role}, and ${JSON.stringify(identity.name)} has the role ${identity.role}`,
  );
}

/**
 * HTTP has nothing for workers: an artifact that one needs it fetches by gRPC, with its lease.
 *
 * @throws PERMISSION_DENIED
 */
export function refuseWorkers({ name, role }: Identity): void {
  if (role !== "worker") return;
  throw permissionDenied(
    `HTTP is not for workers, and ${JSON.stringify(name)} has the role worker`,
  );
}
