import {
  accessSync,
  constants,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";

import { explain } from "./failure.mjs";
import { createPipReader } from "./pip-output.mjs";
import { fingerprint, readStamp, removeStamp, writeStamp } from "./stamp.mjs";

const FOLDER = ".venv";
const LOCKS = ["requirements.lock", "packaged.lock"];

// Python finds our code in place by a line of a file that it reads at its start. The line is a
// relative path, so that it is ASCII wherever the project is: Python reads it in the encoding of
// the locale, and LC_ALL=C, as under cron, has no other letters. pip's editable install would write
// the absolute path, as earlier set-ups did in a file of this name.
const SOURCES = { name: "stillhouse.pth", line: "../../../../python_worker\n" };
const EDITABLE = "stillhouse-worker";

// pip would compile all of torch and transformers, twice the time of the whole install. Importing
// what the worker imports compiles that part alone, and shows that it works on this machine.
const FIRST_IMPORT = `
import stillhouse_worker
import datasets, grpc, jaxtyping, pyarrow.csv, pyarrow.parquet, safetensors.torch
import torch, torch._dynamo, torch.func, zmq
from transformers import AutoConfig, AutoModel, AutoTokenizer, BertModel, DistilBertModel
`;

/** @type {import("./steps.mjs").Step} */
export const pythonEnvironment = {
  name: "Python environment",
  unfinished: [FOLDER],

  isCurrent({ root }) {
    const stamp = readStamp(stampPath(root));
    return stamp?.fingerprint === wanted(root) && isIntact(root, stamp, pinned(root));
  },

  async build(context) {
    const { root } = context;
    const stamp = readStamp(stampPath(root));
    const before = /** @type {Record<string, string>} */ (stamp?.pinned ?? {});
    // An environment that is only out of date is updated in place, which takes seconds.
    if (stamp && stamp.root === root && isIntact(root, stamp, before)) {
      removeStamp(stampPath(root));
    } else await makeEnvironment(context);
    await installPackages(context, before);
    await tryImports(context);
    const interpreter = realpathSync(pythonPath(root));
    const facts = { fingerprint: wanted(root), root, interpreter, pinned: pinned(root) };
    writeStamp(stampPath(root), facts);
  },
};

/** The Python of the project's environment. @param {string} root */
export function pythonPath(root) {
  return join(root, FOLDER, "bin", "python");
}

/** @param {import("./steps.mjs").Context} context */
async function makeEnvironment(context) {
  const { root, progress, findPython } = context;
  rmSync(join(root, FOLDER), { recursive: true, force: true });
  progress.detail("making .venv");
  const { executable } = await findPython();
  await python(context, executable, ["-I", "-m", "venv", FOLDER]);
  // pip first: the one that comes with Python may be too old to report its downloads.
  await pip(context, ["install", "--quiet", `pip==${pinned(root).pip}`]);
}

/**
 * @param {import("./steps.mjs").Context} context
 * @param {Record<string, string>} before what the lock files pinned when it was last installed
 */
async function installPackages(context, before) {
  const now = pinned(context.root);
  const dropped = Object.keys(before).filter((name) => !(name in now));
  if (installedVersions(context.root).has(EDITABLE)) dropped.push(EDITABLE);
  if (dropped.length > 0) await pip(context, ["uninstall", "--yes", ...dropped]);
  const lock = (/** @type {string} */ name) => ["--requirement", join("python_worker", name)];
  const report = ["--no-compile", "--progress-bar", "raw"];
  await pip(context, ["install", ...report, ...lock("requirements.lock")]);
  await pip(context, ["install", ...report, "--no-deps", ...lock("packaged.lock")]);
  linkSources(context.root);
}

/** @param {string} root */
function linkSources(root) {
  const path = join(sitePackages(root), SOURCES.name);
  rmSync(path, { force: true });
  writeFileSync(path, SOURCES.line);
}

/** @param {import("./steps.mjs").Context} context */
async function tryImports({ root, env, run, progress }) {
  progress.detail("first import of torch and transformers");
  const logPath = join(root, ".setup", "python.log");
  const result = await run(pythonPath(root), ["-I", "-c", FIRST_IMPORT], { env, logPath });
  if (result.exitCode !== 0) {
    throw explain({ tool: "The first import", root, logPath }, result.output, result.exitCode);
  }
}

/** @param {import("./steps.mjs").Context} context @param {string[]} args */
function pip(context, args) {
  const [command = "", ...rest] = args;
  const options = ["--no-input", "--disable-pip-version-check"];
  return python(context, pythonPath(context.root), [
    "-I",
    "-m",
    "pip",
    command,
    ...options,
    ...rest,
  ]);
}

/** @param {import("./steps.mjs").Context} context @param {string} program @param {string[]} args */
async function python({ root, env, run, progress }, program, args) {
  const logPath = join(root, ".setup", "pip.log");
  const numPackages = Object.keys(pinned(root)).length;
  const onLine = createPipReader(numPackages, (text) => progress.detail(text));
  // The person's own pip settings must not install packages outside the environment.
  const { PIP_TARGET, PIP_PREFIX, ...rest } = env;
  const result = await run(program, args, { env: { ...rest, PIP_USER: "0" }, logPath, onLine });
  if (result.exitCode !== 0) {
    throw explain({ tool: "pip", root, logPath }, result.output, result.exitCode);
  }
}

/** @param {string} root */
function stampPath(root) {
  return join(root, FOLDER, "stillhouse-stamp.json");
}

/** @param {string} root */
function wanted(root) {
  const read = (/** @type {string} */ name) =>
    readFileSync(join(root, "python_worker", name), "utf8");
  // Only the tables of pyproject.toml that matter for the install, not those of linters and tests.
  const tables = read("pyproject.toml").split(/^(?=\[)/m);
  const installed = tables.filter((table) =>
    /^\[(build-system|project|tool\.setuptools)\b/.test(table),
  );
  // The root is part of it, since an environment does not survive being moved.
  return fingerprint([...LOCKS.map(read), ...installed, SOURCES.line, root]);
}

/**
 * Whether the environment of this stamp is still complete, on the Python that it was created with.
 *
 * @param {string} root
 * @param {Record<string, unknown>} stamp
 * @param {Record<string, string>} packages
 */
function isIntact(root, stamp, packages) {
  try {
    accessSync(pythonPath(root), constants.X_OK);
    if (realpathSync(pythonPath(root)) !== stamp.interpreter) return false;
    const installed = installedVersions(root);
    return Object.entries(packages).every(([name, version]) => installed.get(name) === version);
  } catch {
    // A file is missing.
    return false;
  }
}

/** @param {string} root @returns {Map<string, string>} normalised name to version */
function installedVersions(root) {
  const installed = new Map();
  for (const entry of readdirSync(sitePackages(root))) {
    const match = entry.match(/^(.+)-([^-]+)\.dist-info$/);
    // A local build of a version (2.13.0+cpu) counts as that version.
    if (match?.[1] && match[2]) installed.set(normalise(match[1]), match[2].replace(/\+.*/, ""));
  }
  return installed;
}

/** @param {string} root */
function sitePackages(root) {
  const lib = join(root, FOLDER, "lib");
  const [pythonFolder = ""] = readdirSync(lib);
  return join(lib, pythonFolder, "site-packages");
}

/** Normalised name to version, of all lock files. @param {string} root */
function pinned(root) {
  /** @type {Record<string, string>} */
  const versions = {};
  for (const lock of LOCKS) {
    for (const line of readFileSync(join(root, "python_worker", lock), "utf8").split("\n")) {
      const match = line.match(/^([\w.-]+)==([\w.+!-]+)/);
      if (match?.[1] && match[2]) versions[normalise(match[1])] = match[2];
    }
  }
  return versions;
}

/** @param {string} name */
function normalise(name) {
  return name.replace(/[-_.]+/g, "-").toLowerCase();
}
