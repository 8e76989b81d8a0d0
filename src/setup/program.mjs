import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

import { explain } from "./failure.mjs";
import { fingerprint, readStamp, writeStamp } from "./stamp.mjs";

const SOURCES = "src";
/** Left out, since Vite builds it. */
const PAGE = join("dashboard", "/");
const DRAFT = join(".setup", "built");
// At the same depth as the sources, which find other files of the project by relative paths.
const PLACE = "built";
const STAMP = ".stamp.json";
/** Files that the code reads from beside it. */
const DATA = [join("generated", "descriptors.binpb")];

// Types are removed without being checked, which `npm run check` does.
const OPTIONS = [
  ...["--ignoreConfig", "--allowJs", "--noCheck", "--noResolve", "--sourceMap"],
  ...["--target", "es2023", "--lib", "es5", "--types", "", "--module", "nodenext"],
  ...["--jsx", "react-jsx", "--jsxImportSource", "preact"],
];

/**
 * The program in JavaScript. Compiling it at each start would cost every command two and a half
 * seconds of processor time.
 *
 * @type {import("./steps.mjs").Step}
 */
export const program = {
  name: "Program",
  unfinished: [DRAFT],

  isCurrent({ root }) {
    if (!existsSync(join(root, SOURCES, "main.ts"))) return true;
    return readStamp(join(root, PLACE, STAMP))?.fingerprint === wanted(root);
  },

  async build({ root, env, run }) {
    const draft = join(root, DRAFT);
    rmSync(draft, { recursive: true, force: true });
    mkdirSync(draft, { recursive: true });
    const source = join(root, SOURCES);
    const list = join(draft, "files.txt");
    writeFileSync(
      list,
      sourcesOf(root)
        .map((name) => `"${join(source, name)}"\n`)
        .join(""),
    );
    const logPath = join(root, ".setup", "tsc.log");
    const tsc = join(root, "node_modules", "typescript", "bin", "tsc");
    const places = ["--rootDir", source, "--outDir", draft];
    // The draft is moved, so its source maps need absolute paths.
    const maps = ["--sourceRoot", `${pathToFileURL(source)}/`];
    const { exitCode, output } = await run(
      process.execPath,
      [tsc, `@${list}`, ...OPTIONS, ...places, ...maps],
      { env, logPath },
    );
    if (exitCode !== 0) throw explain({ tool: "tsc", root, logPath }, output, exitCode);
    for (const name of DATA.filter((name) => existsSync(join(source, name)))) {
      copyFileSync(join(source, name), join(draft, name));
    }
    rmSync(list);
    writeStamp(join(draft, STAMP), { fingerprint: wanted(root) });
    rmSync(join(root, PLACE), { recursive: true, force: true });
    renameSync(draft, join(root, PLACE));
  },
};

/** One of its files. @param {string} root @param {string} name relative to the sources, such as "main.js" */
export function programFile(root, name) {
  return join(root, PLACE, name);
}

/** @param {string} root @returns {string[]} relative to the sources, in a fixed order */
function sourcesOf(root) {
  return readdirSync(join(root, SOURCES), { recursive: true, encoding: "utf8" })
    .filter((name) => /(?<!\.d)\.(tsx?|mjs)$/.test(name) && !name.startsWith(PAGE))
    .sort();
}

/** @param {string} root */
function wanted(root) {
  const data = DATA.filter((name) => existsSync(join(root, SOURCES, name)));
  const files = [...sourcesOf(root), ...data];
  const parts = files.flatMap((name) => [name, readFileSync(join(root, SOURCES, name))]);
  return fingerprint([readFileSync(join(root, "package-lock.json")), ...parts]);
}
