import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { PYTHON } from "../../fixtures/tiny.js";

const run = promisify(execFile);
export const MLFLOW = "mlflow==3.17.2";
const INSTALL_LIMIT_MS = 1_800_000;

/**
 * The Python of an environment with programs to compare with, created on first use in the user's
 * cache folder.
 *
 * @param packages with their versions
 * @throws the message of pip where it cannot be created
 */
export async function comparedPrograms(
  packages: readonly string[],
  say: (text: string) => void,
): Promise<string> {
  const cache = process.env.XDG_CACHE_HOME ?? join(homedir(), ".cache");
  const version = createHash("sha256").update(packages.join()).digest("hex").slice(0, 12);
  const folder = join(cache, "stillhouse", `compared-${version}`);
  const python = join(folder, "bin", "python");
  const isWhole = join(folder, "whole");
  if (existsSync(isWhole)) return python;
  say(`installation of ${packages.join(" and ")} into ${folder}`);
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  const limit = { timeout: INSTALL_LIMIT_MS, maxBuffer: 64 * 1024 * 1024 };
  try {
    await run(PYTHON, ["-m", "venv", folder], limit);
    await run(python, ["-m", "pip", "install", "--quiet", "--no-compile", ...packages], limit);
  } catch (error) {
    const { stderr = "", message, killed } = error as Error & { stderr?: string; killed?: boolean };
    if (killed) throw new Error(`pip took more than ${INSTALL_LIMIT_MS / 1000} s`);
    const reason = stderr.split("\n").find((line) => line.startsWith("ERROR"));
    throw new Error(reason ?? message);
  }
  writeFileSync(isWhole, "");
  return python;
}
