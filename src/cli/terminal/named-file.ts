import { readFileSync } from "node:fs";
import { invalid } from "../../errors.js";

const REASONS: Readonly<Record<string, string>> = {
  ENOENT: "does not exist",
  EISDIR: "is a folder, not a file",
  EACCES: "may not be read",
};

/**
 * The text of a file that a flag names.
 *
 * @param path as the person named it
 * @throws INVALID where it cannot be read
 */
export function readNamedFile(flag: string, absolute: string, path: string): string {
  try {
    return readFileSync(absolute, "utf8");
  } catch (error) {
    const { code = "" } = error as NodeJS.ErrnoException;
    throw invalid("", `${flag}: ${path} ${REASONS[code] ?? `cannot be read (${code})`}`);
  }
}
