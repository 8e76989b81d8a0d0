import { execFileSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, statSync } from "node:fs";
import { createRequire } from "node:module";
import { basename, dirname, join, posix, relative } from "node:path";

import { SetupError } from "../failure.mjs";
import { runInSandbox } from "./sandbox.mjs";

/**
 * @typedef {import("./dockerfile.mjs").Stage} Stage
 * @typedef {object} Build
 * @property {string} root the project, which is the context
 * @property {string} folder where stages are built, one folder each
 * @property {string} modules npm packages of the check
 * @property {string} python
 * @property {Record<string, string>} args values of ARG that are not the default
 * @property {(sentence: string) => void} say
 * @property {string[]} unproven steps that were not run here
 */

/**
 * Does the steps of a stage in order, in a folder that stands for the image's root.
 *
 * @param {Stage} stage
 * @param {Stage[]} stages
 * @param {Build} build
 * @returns {Promise<string>} the folder
 */
export async function makeStage(stage, stages, build) {
  const place = join(build.folder, stage.name);
  const before = stages.find(({ name }) => name === stage.from);
  if (before) link(join(build.folder, before.name), place);
  else mkdirSync(place, { recursive: true });
  let workdir = before ? "/app" : "/";
  /** @type {Record<string, string>} */
  const values = {};
  /** @type {Record<string, string>} */
  const env = {};
  const expand = (/** @type {string} */ text) =>
    text.replace(/\$\{(\w+)\}/g, (_, name) => values[name] ?? "");
  for (const step of stage.steps) {
    if (step.kind === "workdir") {
      workdir = step.path;
      mkdirSync(join(place, workdir), { recursive: true });
    } else if (step.kind === "arg") values[step.name] = build.args[step.name] ?? step.value;
    else if (step.kind === "env") {
      for (const [name, value] of Object.entries(step.values)) {
        values[name] = expand(value);
        // An empty value would hide this machine's setting.
        if (values[name] !== "") env[name] = values[name];
      }
    } else if (step.kind === "copy") copy(step, workdir, place, stages, build);
    else if (workdir === "/") build.unproven.push(`line ${step.line}, RUN ${step.command}`);
    else await run(step, workdir, place, env, build);
  }
  return place;
}

/**
 * @param {Extract<import("./dockerfile.mjs").Step, { kind: "run" }>} step
 * @param {string} workdir
 * @param {string} place
 * @param {Record<string, string>} env
 * @param {Build} build
 */
async function run(step, workdir, place, env, build) {
  build.say(`line ${step.line}, RUN ${step.command}`);
  const folders = { [workdir]: join(place, workdir) };
  const exitCode = await runInSandbox(step.command, build.python, {
    folders,
    workdir,
    env,
    uid: 0,
    hasNetwork: true,
  });
  if (exitCode !== 0)
    throw new SetupError(`line ${step.line} of the Dockerfile ended with ${exitCode}`);
}

/**
 * @param {Extract<import("./dockerfile.mjs").Step, { kind: "copy" }>} step
 * @param {string} workdir
 * @param {string} place
 * @param {Stage[]} stages
 * @param {Build} build
 */
function copy(step, workdir, place, stages, build) {
  const target = posix.resolve(workdir, step.target);
  const isFolder = step.target.endsWith("/") || step.sources.length > 1;
  if (step.from !== undefined) {
    const isOwn = stages.find(({ name }) => name === step.from)?.steps.length;
    if (!isOwn) {
      build.unproven.push(`line ${step.line}, COPY from the image ${step.from}`);
      return;
    }
    for (const source of step.sources) {
      const from = join(build.folder, step.from, source);
      if (!existsSync(from))
        throw new SetupError(`line ${step.line} copies ${source}, which does not exist`);
      link(from, join(place, target));
    }
    return;
  }
  const allowed = contextFilter(build);
  for (const path of step.sources.flatMap((source) => matches(build.root, source, step.line))) {
    const source = join(build.root, path);
    const isFile = statSync(source).isFile();
    // As in Docker: the content of a folder, or a file under its name if the target is a folder.
    const base = isFile && isFolder ? join(target, basename(path)) : target;
    for (const file of filesOf(source).filter(allowed)) {
      copyInto(file, place, isFile ? base : join(base, relative(source, file)));
    }
  }
}

/** Files and folders of the context that a path with * means. @param {string} root @param {string} pattern @param {number} line */
function matches(root, pattern, line) {
  const folder = posix.dirname(pattern);
  const name = new RegExp(
    `^${posix.basename(pattern).replaceAll(".", "\\.").replaceAll("*", ".*")}$`,
  );
  const found = readdirSync(join(root, folder)).filter((entry) => name.test(entry));
  if (found.length > 0) return found.map((entry) => posix.join(folder, entry));
  throw new SetupError(`line ${line} copies ${pattern}, which does not exist`);
}

/** @param {string} from @param {string} place @param {string} to */
function copyInto(from, place, to) {
  cpSync(from, join(place, to), { recursive: true, verbatimSymlinks: true });
}

/** Copies between stages by links, since the files take gigabytes. @param {string} from @param {string} to */
function link(from, to) {
  mkdirSync(dirname(to), { recursive: true });
  execFileSync("cp", ["--archive", "--link", "--no-target-directory", from, to]);
}

/** Whether a file belongs to the context, by .dockerignore. @param {Build} build */
function contextFilter({ root, modules }) {
  const load = createRequire(join(modules, "x.js"));
  const ignore = load("@balena/dockerignore")();
  ignore.add(readFileSync(join(root, ".dockerignore"), "utf8"));
  return (/** @type {string} */ file) => !ignore.ignores(relative(root, file));
}

/** @param {string} path @returns {string[]} */
function filesOf(path) {
  if (!statSync(path).isDirectory()) return [path];
  return readdirSync(path, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath ?? entry.path, entry.name));
}
