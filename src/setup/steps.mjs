import { rmSync } from "node:fs";
import { join } from "node:path";

import { dashboard } from "./dashboard.mjs";
import { generatedCode } from "./generated-code.mjs";
import { nodePackages } from "./node-packages.mjs";
import { program } from "./program.mjs";
import { pythonEnvironment } from "./python-environment.mjs";

/**
 * @typedef {object} RunOptions
 * @property {NodeJS.ProcessEnv} env
 * @property {string} logPath
 * @property {(line: string) => void} [onLine]
 *
 * @typedef {object} Context
 * @property {string} root the project folder, absolute
 * @property {NodeJS.ProcessEnv} env
 * @property {import("./progress.mjs").Progress} progress
 * @property {() => Promise<import("./find-python.mjs").FoundPython>} findPython
 * @property {(program: string, args: string[], options: RunOptions) =>
 *   Promise<import("./child.mjs").ChildResult>} run ends with the set-up
 *
 * A part of the set-up. It builds first and writes its stamp last, so that a build that ended
 * early, for whatever reason, does not count as done.
 *
 * @typedef {object} Step
 * @property {string} name
 * @property {string[]} unfinished what a build that ended early leaves, relative to the project folder
 * @property {(place: { root: string }) => boolean} isCurrent cheap: reads a few small files
 * @property {(context: Context) => Promise<void>} build
 */

/** In this order: each needs those before it. @type {Step[]} */
export const STEPS = [nodePackages, pythonEnvironment, generatedCode, program, dashboard];

/** @param {Step} step @param {string} root */
export function isCurrent(step, root) {
  try {
    return step.isCurrent({ root });
  } catch {
    // A file that it reads does not exist yet.
    return false;
  }
}

/** Removes what a build left unfinished. @param {Step} step @param {string} root */
export function discard(step, root) {
  for (const path of step.unfinished) {
    rmSync(join(root, path), { recursive: true, force: true, maxRetries: 3 });
  }
}
