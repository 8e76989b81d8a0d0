import type { Metadata } from "@grpc/grpc-js";
import { type Identity, UNNAMED } from "../../security/identity.js";

/**
 * By the metadata of the call, which reaches its handler; what a caller writes there is no matter.
 */
const callers = new WeakMap<Metadata, Identity>();

/** Tells handlers who the caller is; only for the guard. */
export function setCaller(metadata: Metadata, identity: Identity): void {
  callers.set(metadata, identity);
}

/** The caller of an admitted call; unnamed where there is no guard. */
export function callerOf(metadata: Metadata): Identity {
  return callers.get(metadata) ?? UNNAMED;
}

/** Whether the call is a worker's, which may do only what its lease is for. */
export function isOfWorker(metadata: Metadata): boolean {
  return callerOf(metadata).role === "worker";
}
