import { mkdirSync, statSync } from "node:fs";
import { dirname, resolve } from "node:path";

/**
 * Creates a folder, and the missing ones above it.
 *
 * Node's own function never returns where a file system answers ENOENT below an existing folder, as
 * /proc does: it creates that folder, finds that it exists, and tries again.
 *
 * @param mode of each folder that is created; where absent, the process's default
 * @throws the error of the system, with its code
 */
export function makeFolder(path: string, mode?: number): void {
  for (const folder of missingFolders(resolve(path))) {
    try {
      mkdirSync(folder, { mode });
    } catch (error) {
      // Another process may have made it in this moment.
      if (!isFolder(folder)) throw error;
    }
  }
}

/** From the top down. A file in the way counts as missing, and the system says what it is. */
function missingFolders(path: string): string[] {
  if (isFolder(path)) return [];
  const parent = dirname(path);
  return parent === path ? [path] : [...missingFolders(parent), path];
}

function isFolder(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false;
}
