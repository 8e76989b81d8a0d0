import type { Metadata } from "@grpc/grpc-js";
import type { Identity } from "../../security/identity.js";

/** Written by the guard alone, over whatever a caller puts there. */
const ROLE = "stillhouse-caller-role";

/** Tells handlers who calls. */
export function setCaller(metadata: Metadata, { role }: Identity): void {
  metadata.set(ROLE, role);
}

/** Whether the call is a worker's, which may do only what its lease is for. */
export function isOfWorker(metadata: Metadata): boolean {
  return metadata.get(ROLE)[0] === "worker";
}
