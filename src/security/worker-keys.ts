import { randomBytes } from "node:crypto";
import type { WorkerKeys } from "../experiment/domain/worker-ports.js";
import { requireAccess } from "./access.js";
import type { Authenticator } from "./authenticator.js";
import { OWN_WORKERS } from "./session-keys.js";

/** What a worker's token must be good for: it hands in what it made. */
const HANDING_IN = "/stillhouse.v1.ArtifactService/UploadArtifact";

/**
 * The keys of workers by the tokens that lie in the same folders. A token tells more than the CURVE
 * key of a connection: of that ZeroMQ says nothing once the connection is there.
 */
export class TokensOfWorkers implements WorkerKeys {
  /** Another one after each start, as the token; no token of the file can have such a name. */
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
