import { createHash } from "node:crypto";
import { readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";

/**
 * Hash of everything that decides what a step builds.
 *
 * @param {Array<string | Buffer>} parts each is hashed with its length, so that no two lists collide
 */
export function fingerprint(parts) {
  const hash = createHash("sha256");
  for (const part of parts) hash.update(`${Buffer.byteLength(part)}:`).update(part);
  return hash.digest("hex");
}

/**
 * What the last complete build wrote, or undefined when there was none.
 *
 * @param {string} path
 * @returns {Record<string, unknown> | undefined}
 */
export function readStamp(path) {
  try {
    const stamp = JSON.parse(readFileSync(path, "utf8"));
    return typeof stamp === "object" && stamp !== null ? stamp : undefined;
  } catch {
    // Missing, or not written by us: either way there is no build to rely on.
    return undefined;
  }
}

/**
 * Marks a build as complete. Appears at once or not at all.
 *
 * @param {string} path
 * @param {Record<string, unknown>} stamp
 */
export function writeStamp(path, stamp) {
  const draft = `${path}.${process.pid}`;
  writeFileSync(draft, JSON.stringify(stamp));
  renameSync(draft, path);
}

/** @param {string} path */
export function removeStamp(path) {
  rmSync(path, { force: true });
}
