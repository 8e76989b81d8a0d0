import { FailureKind, StillhouseError } from "../errors.js";
import { type Identity, UNNAMED } from "./identity.js";
import type { Role } from "./role.js";
import { isSameHash, isToken, makeToken, tokenHash } from "./token.js";
import type { TokenFile, TokenRecord } from "./token-file.js";

const SCHEME = /^bearer +(\S+)$/i;

type Known = Pick<TokenRecord, "name" | "role" | "sha256">;

/** Knows callers by their bearer tokens. */
export class Authenticator {
  readonly #file: TokenFile;
  readonly #isRequired: boolean;
  /** Of this process; nothing of them is on disk but what is handed to its own children. */
  readonly #session: Known[] = [];
  #stored: readonly Known[] = [];
  #version: string | undefined;

  /** @param isRequired whether a token is needed even while the file has none */
  constructor(file: TokenFile, isRequired: boolean) {
    this.#file = file;
    this.#isRequired = isRequired;
  }

  /** A token that is good until this process ends. */
  issue(name: string, role: Role): string {
    const token = makeToken();
    this.#session.push({ name, role, sha256: tokenHash(token) });
    return token;
  }

  /** Whether everyone who can connect may do everything. */
  get isOpen(): boolean {
    return !this.#isRequired && this.#current().length === 0;
  }

  /** Whether there is a token of that name. */
  knows(name: string): boolean {
    return [...this.#current(), ...this.#session].some((known) => known.name === name);
  }

  /**
   * Who calls. The file is read again when it has changed, so that a removed token is refused at once.
   *
   * @param authorization such as "Bearer sth_…"; undefined or empty for none
   * @throws UNAUTHENTICATED without a valid token, where one is needed; a token is never part of
   *   the message
   */
  identify(authorization: string | undefined): Identity {
    if (this.isOpen) return UNNAMED;
    if (!authorization) {
      throw unauthenticated(
        "a bearer token is needed; give --token-file FILE or STILLHOUSE_TOKEN, and a worker --keys FOLDER",
      );
    }
    const token = SCHEME.exec(authorization)?.[1] ?? "";
    if (!isToken(token)) throw unauthenticated("that is no bearer token of Stillhouse");
    const sha256 = tokenHash(token);
    // All are compared, whichever fits, so that the time tells nothing.
    const [ofSession] = this.#session.filter((known) => isSameHash(known.sha256, sha256));
    const [stored] = this.#current().filter((known) => isSameHash(known.sha256, sha256));
    const known = ofSession ?? stored;
    if (!known) throw unauthenticated("this bearer token is not known, or was removed");
    const { name, role } = known;
    return { name, role, authentication: ofSession ? "session" : "token" };
  }

  #current(): readonly Known[] {
    const version = this.#file.version();
    if (version !== this.#version) {
      this.#stored = this.#file.read();
      this.#version = version;
    }
    return this.#stored;
  }
}

function unauthenticated(message: string): StillhouseError {
  return new StillhouseError(FailureKind.FAILURE_KIND_UNAUTHENTICATED, message);
}
