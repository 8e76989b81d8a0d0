import { permissionDenied } from "../errors.js";
import { type MethodRule, Role } from "../generated/stillhouse/v1/method.js";
import { serviceMethods } from "../messages/methods.js";
import type { Identity } from "./identity.js";
import { type Rung, reaches } from "./role.js";

/** The access to a method. */
export interface Access {
  /** The lowest role that may call it; "anyone" needs no token. */
  readonly role: Rung | "anyone";
  /** Whether workers may call it too. */
  readonly workers?: boolean;
  /** Whether it changes something and is therefore written to the audit log. */
  readonly isChange?: boolean;
}

const READ: Access = { role: "read" };
const ANYONE: Access = { role: "anyone" };

/** Methods outside our protos, by their gRPC path, or by the path of HTTP if only that has them. */
const OTHERS: readonly (readonly [method: string, access: Access])[] = [
  // A supervisor has no token and learns only that this process answers.
  ["/grpc.health.v1.Health/Check", ANYONE],
  ["/grpc.health.v1.Health/List", ANYONE],
  ["/grpc.health.v1.Health/Watch", ANYONE],
  ["/api/v1/settings", READ],
  ["/api/v1/whoami", READ],
  ["/metrics", READ],
  ["/api/v1/openapi.json", ANYONE],
  ["/healthz", ANYONE],
  ["/readyz", ANYONE],
  ["/grpc.reflection.v1.ServerReflection/ServerReflectionInfo", READ],
  ["/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo", READ],
];

let table: ReadonlyMap<string, Access> | undefined;

/** Who may call what: the methods of our protos by their option `rule`, and the others. */
export function accessTable(): ReadonlyMap<string, Access> {
  table ??= new Map(
    [...serviceMethods().values()]
      .map(({ path, rule }) => [path, accessBy(rule)] as const)
      .concat(OTHERS),
  );
  return table;
}

const RUNGS: Partial<Record<Role, Rung>> = {
  [Role.READ]: "read",
  [Role.SUBMIT]: "submit",
  [Role.ADMIN]: "admin",
};

/** Only an admin may call a method without a role. */
function accessBy({ role, workers, isChange }: MethodRule): Access {
  return { role: RUNGS[role] ?? "admin", workers, isChange };
}

/** The access to a method. @throws PERMISSION_DENIED for one that is not in the table */
export function accessTo(method: string): Access {
  const access = accessTable().get(method);
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
 * HTTP has nothing for workers: they fetch the artifacts they need by gRPC, with their lease.
 *
 * @throws PERMISSION_DENIED
 */
export function refuseWorkers({ name, role }: Identity): void {
  if (role !== "worker") return;
  throw permissionDenied(
    `HTTP is not for workers, and ${JSON.stringify(name)} has the role worker`,
  );
}
