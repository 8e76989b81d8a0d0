import { unauthenticated } from "../errors.js";
import { type Identity, UNNAMED } from "./identity.js";
import type { Role } from "./role.js";
import { isSameHash, isToken, makeToken, tokenHash } from "./token.js";
import type { TokenFile, TokenRecord } from "./token-file.js";

const SCHEME = /^bearer +(\S+)$/i;

type Known = Pick<TokenRecord, "name" | "role" | "sha256">;

/** Identifies callers by their bearer tokens. */
export class Authenticator {
  readonly #file: TokenFile;
  readonly #isRequired: boolean;
  /** Tokens of this process; on disk there are only those for its own children and commands. */
  readonly #session: Known[] = [];
  #stored: readonly Known[] = [];
  #version: string | undefined;

  /** @param isRequired whether a token is needed even while the file has none */
  constructor(file: TokenFile, isRequired: boolean) {
    this.#file = file;
    this.#isRequired = isRequired;
  }

  /** A new token that is valid until this process ends. */
  issue(name: string, role: Role): string {
    const token = makeToken();
    this.#session.push({ name, role, sha256: tokenHash(token) });
    return token;
  }

  /** Whether everyone who can connect may do everything: no token is needed, and none ever was. */
  get isOpen(): boolean {
    return !this.#isRequired && this.#current().length === 0 && !this.#file.isClosed;
  }

  /** Whether there is a token with that name. */
  knows(name: string): boolean {
    return [...this.#current(), ...this.#session].some((known) => known.name === name);
  }

  /**
   * Identifies the caller. The file is read again when it has changed, so that a removed token is
   * refused at once.
   *
   * @param authorization such as "Bearer sth_…"; undefined or empty for none
   * @throws UNAUTHENTICATED without a valid token, where one is needed; a token is never part of
   *   the message
   */
  identify(authorization: string | undefined): Identity {
    if (this.isOpen) return UNNAMED;
    if (!authorization) throw unauthenticated(this.#current().length > 0 ? NEEDED : NONE_LEFT);
    const token = SCHEME.exec(authorization)?.[1] ?? "";
    if (!isToken(token)) throw unauthenticated("that is not a bearer token of Stillhouse");
    const sha256 = tokenHash(token);
    // Every hash is compared, even after a match, so that the time reveals nothing.
    const [ofSession] = this.#session.filter((known) => isSameHash(known.sha256, sha256));
    const [stored] = this.#current().filter((known) => isSameHash(known.sha256, sha256));
    const known = ofSession ?? stored;
    if (!known) throw unauthenticated("this bearer token is not known, or was removed");
    const { name, role } = known;
    return { name, role, authentication: ofSession ? "session" : "token" };
  }

  /** A file of tokens from an earlier version, or a copied one, may lack the mark. */
  #keepClosed(): void {
    if (this.#stored.length === 0) return;
    try {
      this.#file.close();
    } catch {
      // While there are tokens it is closed anyway; a full disk is no reason to refuse everybody.
    }
  }

  #current(): readonly Known[] {
    const version = this.#file.version();
    if (version !== this.#version) {
      this.#stored = this.#file.read();
      this.#version = version;
      this.#keepClosed();
    }
    return this.#stored;
  }
}

const NEEDED =
  "a bearer token is needed; give --token-file FILE or STILLHOUSE_TOKEN, and a worker --keys FOLDER";

/**
 * The message of a home that has had tokens and has none: its owner may not know why it is closed.
 */
export const NONE_LEFT =
  "a bearer token is needed, and this home has none any more; its owner creates one with " +
  "npm run keys -- token add NAME --role ROLE, or opens it to everyone on its machine with " +
  "npm run keys -- token open";
