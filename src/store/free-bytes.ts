import { statfsSync } from "node:fs";

/** What this process may still write to the disk of a folder that exists. */
export function freeBytesOf(folder: string): number {
  const { bavail, bsize } = statfsSync(folder);
  return bavail * bsize;
}
