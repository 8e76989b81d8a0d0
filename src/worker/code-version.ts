import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { join, sep } from "node:path";

const SOURCES = "stillhouse_worker";

/**
 * Hash over what computes: the sources of the Python worker and its lock files, by name and
 * content, in the order of their names. Results of another version are never reused.
 *
 * @param pythonWorker folder `python_worker` of the project
 * @returns SHA-256 as 64 hexadecimal digits
 */
export function codeVersion(pythonWorker: string): string {
  const sources = readdirSync(join(pythonWorker, SOURCES), { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".py"))
    .map((name) => join(SOURCES, name));
  const locks = readdirSync(pythonWorker).filter((name) => name.endsWith(".lock"));
  const hash = createHash("sha256");
  for (const name of [...sources, ...locks].sort()) {
    const content = createHash("sha256").update(readFileSync(join(pythonWorker, name)));
    const portable = name.split(sep).join("/");
    hash.update(`${portable}\0${content.digest("hex")}\n`);
  }
  return hash.digest("hex");
}
