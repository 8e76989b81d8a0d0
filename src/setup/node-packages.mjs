import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";

import { explain, SetupError } from "./failure.mjs";
import { fingerprint, readStamp, writeStamp } from "./stamp.mjs";

// Every binary comes inside a package, so no package has to run an install script. --include=dev
// and --loglevel are explicit, since `npm run -s` and NODE_ENV=production would change them.
const NPM_CI = [
  "ci",
  "--ignore-scripts",
  "--include=dev",
  "--no-audit",
  "--no-fund",
  "--no-progress",
  // Otherwise npm would wait 70 s before it reports that there is no network.
  "--fetch-retry-mintimeout=2000",
  "--fetch-retry-maxtimeout=10000",
  "--loglevel=http",
];

/** @type {import("./steps.mjs").Step} */
export const nodePackages = {
  name: "npm packages",
  unfinished: ["node_modules"],

  isCurrent({ root }) {
    const stamp = readStamp(stampPath(root));
    return stamp?.fingerprint === wanted(root) && directPackages(root).every(existsSync);
  },

  async build({ root, env, run, progress }) {
    const logPath = join(root, ".setup", "npm.log");
    const onLine = createNpmReader(numPackages(root), (text) => progress.detail(text));
    const { exitCode, output } = await run("npm", NPM_CI, { env, logPath, onLine });
    if (exitCode === 127) throw new SetupError(NO_NPM);
    if (exitCode !== 0) throw explain({ tool: "npm", root, logPath }, output, exitCode);
    writeStamp(stampPath(root), { fingerprint: wanted(root) });
  },
};

/**
 * Turns npm's lines into how far it is.
 *
 * @param {number} total
 * @param {(text: string) => void} show
 * @returns {(line: string) => void}
 */
export function createNpmReader(total, show) {
  let numFetched = 0;
  return (line) => {
    if (/^npm http (fetch|cache) .*\.tgz/.test(line) && !/attempt \d+ failed/.test(line)) {
      numFetched += 1;
      show(`${Math.min(numFetched, total)} of ${total} packages`);
    }
    if (/attempt \d+ failed/.test(line)) show("the registry does not answer, retrying");
  };
}

/** How many packages of the lock file are for this platform. @param {string} root */
function numPackages(root) {
  const { packages } = JSON.parse(readFileSync(join(root, "package-lock.json"), "utf8"));
  /** @type {Array<{ os?: string[], cpu?: string[], libc?: string[] }>} */
  const entries = Object.values(packages);
  const fits = (/** @type {string[] | undefined} */ allowed, /** @type {string} */ have) =>
    !allowed || allowed.includes(have);
  const ours = entries.filter(
    ({ os, cpu, libc }) =>
      fits(os, process.platform) && fits(cpu, process.arch) && fits(libc, "glibc"),
  );
  // The first entry is the project itself.
  return ours.length - 1;
}

const NO_NPM =
  "npm is not on the PATH. It comes with Node from nodejs.org; on Debian or Ubuntu: sudo apt-get install npm";

/** @param {string} root */
function stampPath(root) {
  return join(root, "node_modules", ".stillhouse-stamp.json");
}

/** @param {string} root */
function wanted(root) {
  const lock = readFileSync(join(root, "package-lock.json"));
  // Native add-ons are built for one binary interface, platform and processor.
  return fingerprint([lock, process.versions.modules ?? "", process.platform, process.arch]);
}

/** Folders of the packages that package.json names. @param {string} root */
function directPackages(root) {
  const { dependencies = {}, devDependencies = {} } = JSON.parse(
    readFileSync(join(root, "package.json"), "utf8"),
  );
  const names = Object.keys({ ...dependencies, ...devDependencies });
  return names.map((name) => join(root, "node_modules", name, "package.json"));
}
