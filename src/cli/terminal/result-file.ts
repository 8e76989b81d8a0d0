import { writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { environment } from "../../errors.js";
import { makeFolder } from "../../make-folder.js";

/**
 * Writes a result where a person wants it; its folder is created if it does not exist.
 *
 * @throws StillhouseError ENVIRONMENT when that cannot be written.
 */
export function writeResultFile(path: string, content: string | Uint8Array): void {
  try {
    makeFolder(dirname(path));
    writeFileSync(path, content);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw environment(`${path} cannot be written (${code}); name another place`);
  }
}
