import { randomBytes } from "node:crypto";
import type { WorkerKeys } from "../experiment/domain/worker-ports.js";
import { requireAccess } from "./access.js";
import type { Authenticator } from "./authenticator.js";
import { OWN_WORKERS } from "./session-keys.js";

/** The call that a worker's token must allow: it uploads what it has computed. */
const HANDING_IN = "/stillhouse.v1.ArtifactService/UploadArtifact";

/**
 * Identifies the keys of workers by the tokens in the same folders. The CURVE key of a connection
 * would not do: ZeroMQ does not tell which one it was once the connection is open.
 */
export class TokensOfWorkers implements WorkerKeys {
  /** Differs after each start, like the token; no token of the file can have such a name. */
  readonly ownWorkers = `${OWN_WORKERS}#${randomBytes(4).toString("hex")}`;
  readonly #authenticator: Authenticator;

  constructor(authenticator: Authenticator) {
    this.#authenticator = authenticator;
  }

  ownerOf(token: string): string | undefined {
    const authorization = token === "" ? undefined : `Bearer ${token}`;
    const identity = this.#authenticator.identify(authorization);
    if (identity.authentication === "none") return undefined;
    requireAccess(identity, HANDING_IN);
    return identity.name === OWN_WORKERS ? this.ownWorkers : identity.name;
  }

  isKnown(owner: string): boolean {
    return owner === this.ownWorkers || this.#authenticator.knows(owner);
  }
}
