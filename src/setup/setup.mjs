import { readdirSync, rmSync } from "node:fs";
import { join } from "node:path";

import { runChild } from "./child.mjs";
import { listenForEnd } from "./ending.mjs";
import { explainSystemError, Interrupted } from "./failure.mjs";
import { findPython } from "./find-python.mjs";
import { withLock } from "./lock.mjs";
import { createProgress } from "./progress.mjs";
import { pythonEnv } from "./python-env.mjs";
import { pythonEnvironment, pythonPath } from "./python-environment.mjs";
import { discard, isCurrent, STEPS } from "./steps.mjs";

/**
 * Makes everything that the project needs and that is missing or out of date. Silent, without a
 * child process and within milliseconds when there is nothing to do.
 *
 * @param {string} root the project folder, absolute
 * @param {import("./ending.mjs").Start} start
 * @param {{ force?: import("./steps.mjs").Step }} [options] a step to build whatever its state
 * @throws {import("./failure.mjs").SetupError} in one sentence that says what to do
 */
export async function setUp(root, start, { force } = {}) {
  const isStale = (/** @type {import("./steps.mjs").Step} */ step) =>
    step === force || !isCurrent(step, root);
  if (!STEPS.some(isStale)) return;
  const interruption = new AbortController();
  const stopListening = listenForEnd(start, () => interruption.abort());
  try {
    await buildStale(root, pythonEnv(start.env), interruption.signal, isStale);
  } catch (error) {
    throw explainSystemError(error, root) ?? error;
  } finally {
    stopListening();
  }
}

/**
 * @param {string} root
 * @param {NodeJS.ProcessEnv} env
 * @param {AbortSignal} signal
 * @param {(step: import("./steps.mjs").Step) => boolean} isStale
 */
async function buildStale(root, env, signal, isStale) {
  const progress = createProgress(process.stderr, isLiveTerminal(env));
  const find = () =>
    findPython(
      env,
      (program, args) => runChild(program, args, { cwd: root, env, signal }),
      process.getuid?.() === 0,
    );
  // Looked for before anything is downloaded, so that a missing Python is reported at once.
  const python = isCurrent(pythonEnvironment, root) ? pythonPath(root) : (await find()).executable;
  const onWait = () =>
    progress.say("Another set-up is at work in this folder. Waiting for it to end …");
  await withLock(python, { root, env, signal, onWait }, async (lockFd) => {
    removeOldLogs(root);
    /** @type {import("./steps.mjs").Context} */
    const context = {
      root,
      env,
      progress,
      findPython: find,
      run: (program, args, options) =>
        runChild(program, args, { cwd: root, signal, inheritedFd: lockFd, ...options }),
    };
    for (const step of STEPS) if (isStale(step)) await buildStep(step, context, signal);
  });
}

/**
 * @param {import("./steps.mjs").Step} step
 * @param {import("./steps.mjs").Context} context
 * @param {AbortSignal} signal
 */
async function buildStep(step, context, signal) {
  context.progress.start(step.name);
  try {
    await step.build(context);
    if (signal.aborted) throw new Interrupted();
    context.progress.done();
  } catch (error) {
    context.progress.fail();
    discard(step, context.root);
    throw error;
  }
}

/** @param {NodeJS.ProcessEnv} env */
function isLiveTerminal(env) {
  return process.stderr.isTTY === true && env.TERM !== "dumb" && !env.CI;
}

/** @param {string} root */
function removeOldLogs(root) {
  const folder = join(root, ".setup");
  for (const name of readdirSync(folder)) {
    if (name.endsWith(".log")) rmSync(join(folder, name), { force: true });
  }
}
