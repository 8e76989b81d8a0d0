import { createHash } from "node:crypto";
import { FailureKind, StillhouseError } from "../errors.js";

/** Where a page ended: the values of its last entry by which the list is ordered. */
export type PageKey = readonly number[];

const DIGEST_LENGTH = 12;

/**
 * A page token that holds for one list only.
 *
 * @param list all that determines the list, as JSON
 */
export function pageToken(list: unknown, key: PageKey): string {
  return Buffer.from(JSON.stringify([digestOf(list), ...key])).toString("base64url");
}

/**
 * @param keyLength how many numbers the key of this list has
 * @returns undefined for the empty token, which asks for the first page
 * @throws INVALID for a token that `pageToken` did not make of this list
 */
export function pageKeyOf(list: unknown, token: string, keyLength: number): PageKey | undefined {
  if (token === "") return undefined;
  const [digest, ...key] = decoded(token);
  if (digest === digestOf(list) && key.length === keyLength && key.every(Number.isFinite)) {
    return key as number[];
  }
  throw new StillhouseError(
    FailureKind.FAILURE_KIND_INVALID,
    `page_token must be empty or the next_page_token of an earlier page with the same filter and order, got ${JSON.stringify(token.slice(0, 100))}`,
    { field: "page_token" },
  );
}

function decoded(token: string): unknown[] {
  try {
    const parts: unknown = JSON.parse(Buffer.from(token, "base64url").toString());
    return Array.isArray(parts) ? parts : [];
  } catch {
    return [];
  }
}

function digestOf(list: unknown): string {
  const digest = createHash("sha256").update(JSON.stringify(list)).digest("base64url");
  return digest.slice(0, DIGEST_LENGTH);
}
