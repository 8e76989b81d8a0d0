import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
} from "node:fs";
import { join } from "node:path";

import { explain } from "./failure.mjs";
import { fingerprint, readStamp, writeStamp } from "./stamp.mjs";

const SOURCES = join("src", "dashboard");
// Sources of other folders that the page imports, as the import rules allow.
const SHARED = [
  join("src", "generated", "page"),
  join("src", "results"),
  join("src", "settings", "range.ts"),
  join("src", "statistics.ts"),
  join("src", "text"),
  "package-lock.json",
];
const DRAFT = join(".setup", "dashboard");
const PLACE = join("dist", "dashboard");
const STAMP = ".stamp.json";

/** @type {import("./steps.mjs").Step} */
export const dashboard = {
  name: "Dashboard",
  unfinished: [DRAFT],

  isCurrent({ root }) {
    // An installation may leave the page out; the server then says so.
    if (!existsSync(join(root, SOURCES, "index.html"))) return true;
    return readStamp(join(root, PLACE, STAMP))?.fingerprint === wanted(root);
  },

  async build({ root, env, run }) {
    const draft = join(root, DRAFT);
    const logPath = join(root, ".setup", "vite.log");
    const vite = join(root, "node_modules", "vite", "bin", "vite.js");
    const options = ["--outDir", draft, "--emptyOutDir", "--logLevel", "warn"];
    const { exitCode, output } = await run(
      process.execPath,
      [vite, "build", join(root, SOURCES), ...options],
      { env, logPath },
    );
    if (exitCode !== 0) throw explain({ tool: "Vite", root, logPath }, output, exitCode);
    writeStamp(join(draft, STAMP), { fingerprint: wanted(root) });
    mkdirSync(join(root, "dist"), { recursive: true });
    rmSync(join(root, PLACE), { recursive: true, force: true });
    renameSync(draft, join(root, PLACE));
  },
};

/** @param {string} root */
function wanted(root) {
  const files = [SOURCES, ...SHARED].flatMap((place) => filesAt(root, place));
  return fingerprint(files.flatMap((path) => [path, readFileSync(join(root, path))]));
}

/** @param {string} root @param {string} place a file or a folder @returns {string[]} in a fixed order */
function filesAt(root, place) {
  const path = join(root, place);
  if (!existsSync(path)) return [];
  if (!statSync(path).isDirectory()) return [place];
  const names = readdirSync(path, { recursive: true, encoding: "utf8" });
  return names
    .filter((name) => /\.(tsx?|css|html|svg|mjs|json)$/.test(name))
    .sort()
    .map((name) => join(place, name));
}
