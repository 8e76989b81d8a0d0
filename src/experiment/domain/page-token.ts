import { createHash } from "node:crypto";
import { invalid } from "../../errors.js";
import { MAX_PAGE_SIZE, pageSizeOf } from "./request-checks.js";

/** Where a page ended: the values of its last entry by which the list is ordered. */
export type PageKey = readonly (number | string)[];

const DIGEST_LENGTH = 12;

/**
 * Bytes of a page, whatever number of entries was asked for. Clients of gRPC accept messages of
 * 4 MiB unless they are configured otherwise; the progress of running tasks is not counted.
 */
export const PAGE_BYTES = 3 * 1024 * 1024;

/**
 * The first entries that a page has room for: at least one, so that the next page is another one.
 *
 * @param bytesOf size of an entry in the answer
 */
export function fitting<Entry>(
  entries: Iterable<Entry>,
  maxCount: number,
  bytesOf: (entry: Entry) => number,
): Entry[] {
  const page: Entry[] = [];
  let left = PAGE_BYTES;
  for (const entry of entries) {
    if (page.length >= maxCount) break;
    left -= bytesOf(entry);
    if (left < 0 && page.length > 0) break;
    page.push(entry);
  }
  return page;
}

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
export function pageKeyOf(
  list: unknown,
  token: string,
  keyLength: number,
): readonly number[] | undefined {
  const isKey = (key: readonly unknown[]): key is number[] =>
    key.length === keyLength && key.every(Number.isFinite);
  return checkedKey(list, token, isKey);
}

export interface PageRequest {
  /** 0 to 1000; 0 means 1000. */
  readonly pageSize: number;
  readonly pageToken: string;
}

/**
 * A page of a list that is in memory.
 *
 * @param list all that determines the list, as JSON
 * @param nameOf distinguishes entries; where the last entry of a page was removed, the next page starts
 *   with the first one whose name is greater
 * @param bytesOf size of an entry in the answer
 * @throws INVALID for an invalid size or token
 */
export function pageOf<Entry>(
  list: unknown,
  entries: readonly Entry[],
  request: PageRequest,
  nameOf: (entry: Entry) => string,
  bytesOf: (entry: Entry) => number,
): { readonly page: readonly Entry[]; readonly nextPageToken: string } {
  const size = pageSizeOf(request.pageSize, MAX_PAGE_SIZE);
  const isName = (key: readonly unknown[]): key is [string] =>
    key.length === 1 && typeof key[0] === "string";
  const before = checkedKey(list, request.pageToken, isName)?.[0];
  const rest = before === undefined ? entries : entriesAfter(before, entries, nameOf);
  const page = fitting(rest, size, bytesOf);
  const last = page.at(-1);
  const nextPageToken = last && rest.length > page.length ? pageToken(list, [nameOf(last)]) : "";
  return { page, nextPageToken };
}

function entriesAfter<Entry>(
  name: string,
  entries: readonly Entry[],
  nameOf: (entry: Entry) => string,
): readonly Entry[] {
  const at = entries.findIndex((entry) => nameOf(entry) === name);
  if (at >= 0) return entries.slice(at + 1);
  const next = entries.findIndex((entry) => nameOf(entry) > name);
  return next < 0 ? [] : entries.slice(next);
}

function checkedKey<Key extends PageKey>(
  list: unknown,
  token: string,
  isKey: (key: readonly unknown[]) => key is Key & unknown[],
): Key | undefined {
  if (token === "") return undefined;
  const [digest, ...key] = decoded(token);
  if (digest === digestOf(list) && isKey(key)) return key;
  throw invalid(
    "page_token",
    `page_token must be empty or the next_page_token of an earlier page with the same filter and order, got ${JSON.stringify(token.slice(0, 100))}`,
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
