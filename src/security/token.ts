import { createHash, randomBytes, timingSafeEqual } from "node:crypto";

const TOKEN_BYTES = 32;
/** Shows people and secret scanners what it is. */
const PREFIX = "sth_";
const TOKEN = /^sth_[A-Za-z0-9_-]{43}$/;

/** A new bearer token: 256 random bits. */
export function makeToken(): string {
  return PREFIX + randomBytes(TOKEN_BYTES).toString("base64url");
}

export function isToken(text: string): boolean {
  return TOKEN.test(text);
}

/**
 * What is stored of a token. A fast hash is enough, since a token is as random as a key: scrypt
 * would only slow down guessing, and there is nothing to guess.
 *
 * @returns SHA-256, hexadecimal
 */
export function tokenHash(token: string): string {
  return createHash("sha256").update(token).digest("hex");
}

/** Compares two hashes in a time that does not depend on where they differ. */
export function isSameHash(a: string, b: string): boolean {
  const [left, right] = [Buffer.from(a, "hex"), Buffer.from(b, "hex")];
  return left.length === right.length && timingSafeEqual(left, right);
}
