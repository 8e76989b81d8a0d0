import { FailureKind, StillhouseError, toFailure } from "../errors.js";
import { type Access, accessTo, requireAccess } from "./access.js";
import { type Identity, UNNAMED } from "./identity.js";
import type { Security } from "./security.js";

/** Name of a method, its full path and where the call comes from. */
export interface CallOrigin {
  /** gRPC path of the method; for a route of REST, that of the method it stands for. */
  readonly method: string;
  /** Address of the caller. */
  readonly from: string;
}

const UNKNOWN: Identity = { ...UNNAMED, role: "read" };
const OK = "ok";

/** Takes one call through all checks that may refuse it, in either protocol. */
export class GuardedCall {
  readonly #security: Pick<Security, "authenticator" | "limits" | "audit">;
  readonly #origin: CallOrigin;
  #access: Access | undefined;
  #identity: Identity | undefined;
  #target = "";
  #closeStream: (() => void) | undefined;
  #hasEnded = false;

  constructor(security: Pick<Security, "authenticator" | "limits" | "audit">, origin: CallOrigin) {
    this.#security = security;
    this.#origin = origin;
  }

  /**
   * Admits the call.
   *
   * @param authorization the header or metadata of that name
   * @param isStream whether the call is a stream, which counts towards the open ones
   * @throws UNAUTHENTICATED, PERMISSION_DENIED, RATE_LIMITED
   */
  async admit(authorization: string | undefined, isStream: boolean): Promise<Identity> {
    const { method, from } = this.#origin;
    const { limits } = this.#security;
    const access = accessTo(method);
    this.#access = access;
    if (access.role === "anyone") {
      await limits.countCall(from);
      this.#identity = UNKNOWN;
      if (isStream) this.#openStream(from);
    } else {
      this.#identity = await this.#identify(authorization);
      requireAccess(this.#identity, method);
      const { authentication, name } = this.#identity;
      if (isStream && authentication !== "none") this.#openStream(name);
    }
    return this.#identity;
  }

  #openStream(name: string): void {
    this.#closeStream = this.#security.limits.openStream(name);
    // The caller may have hung up while it was being admitted.
    if (this.#hasEnded) this.#closeStream();
  }

  /** Notes what a message of the call is about, for the audit log. */
  about(message: unknown): void {
    this.#target = targetOf(message) || this.#target;
  }

  /** The call has ended. @param thrown why it failed; absent if it did not */
  end(thrown?: unknown): void {
    this.endWith(thrown === undefined ? OK : resultOf(thrown));
  }

  /** The call has ended. @param result "ok", or the kind of failure */
  endWith(result: string): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    this.#closeStream?.();
    if (!this.#access?.isChange) return;
    const { method, from } = this.#origin;
    this.#security.audit.record({
      who: this.#identity?.name ?? "",
      role: this.#identity?.role ?? "",
      what: method.slice(method.lastIndexOf("/") + 1),
      target: this.#target,
      from,
      result,
    });
  }

  async #identify(authorization: string | undefined): Promise<Identity> {
    const { authenticator, limits } = this.#security;
    let identity: Identity;
    try {
      identity = authenticator.identify(authorization);
    } catch (error) {
      // Only calls without a valid token are counted here: nobody locks out one who has a token.
      if (isUnauthenticated(error)) await limits.countRefusal(this.#origin.from);
      throw error;
    }
    if (identity.authentication !== "none") await limits.countCall(identity.name);
    return identity;
  }
}

/** Such as "NOT_FOUND". */
export function resultOf(thrown: unknown): string {
  return toFailure(thrown).kind.replace("FAILURE_KIND_", "");
}

function isUnauthenticated(error: unknown): boolean {
  return error instanceof StillhouseError && error.kind === FailureKind.UNAUTHENTICATED;
}

/** The id in a request or a response of a change; empty where there is none. */
function targetOf(message: unknown): string {
  for (const path of TARGETS) {
    let value: unknown = message;
    for (const name of path) value = (value as Record<string, unknown> | undefined)?.[name];
    if (typeof value === "string" && value !== "") return value.slice(0, MAX_TARGET_CHARACTERS);
  }
  return "";
}

const MAX_TARGET_CHARACTERS = 128;
const TARGETS = [
  ["experimentId"],
  ["sweepId"],
  ["workerId"],
  ["experiment", "id"],
  ["sweep", "id"],
  ["worker", "id"],
  ["artifact", "id"],
  ["part", "value", "taskId"],
] as const;
