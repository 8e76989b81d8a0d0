import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";

import { runForeground } from "./foreground.mjs";

const PYTHON_PARTS = [
  "stillhouse",
  "stillhouse_worker",
  "stillhouse_proto",
  "examples",
  "README.md",
];
const NOT_PUBLISHED = /^(__pycache__|\.stamp.*)$/;
const TSC_OPTIONS = [
  ...["--target", "es2022", "--module", "nodenext", "--types", "node", "--strict"],
  ...["--skipLibCheck", "--declaration", "--noEmit", "false", "--ignoreConfig"],
];

/**
 * Writes the packages for clients, of both languages, each complete with its generated code.
 *
 * @param {string} root
 * @param {string} [out] folder that gets `python` and `typescript`
 * @returns {Promise<number>} 0 when both were written
 */
export async function runClients(root, out = join(root, "dist", "clients")) {
  rmSync(out, { recursive: true, force: true });
  writePythonPackage(root, join(out, "python"));
  return writeNodePackage(root, join(out, "typescript"));
}

/**
 * Copies the distribution with its generated code. Installed without extras, it is only the client.
 *
 * @param {string} root @param {string} out
 */
function writePythonPackage(root, out) {
  const source = join(root, "python_worker");
  for (const name of PYTHON_PARTS) {
    const filter = (/** @type {string} */ path) => !NOT_PUBLISHED.test(basename(path));
    cpSync(join(source, name), join(out, name), { recursive: true, filter });
  }
  const lock = readFileSync(join(source, "requirements.lock"), "utf8");
  // Generated code needs at least the versions with which it was generated.
  const project = ["grpcio", "protobuf"].reduce(
    (text, name) => {
      const version = new RegExp(`^${name}==(.+)$`, "m").exec(lock)?.[1] ?? "0";
      return text.replace(`  "${name}",\n`, `  "${name}>=${version}",\n`);
    },
    readFileSync(join(source, "pyproject.toml"), "utf8"),
  );
  writeFileSync(join(out, "pyproject.toml"), project);
}

/** @param {string} root @param {string} out */
async function writeNodePackage(root, out) {
  const source = join(root, "src", "client");
  const { dependencies, engines, license } = packageOf(root);
  const manifest = {
    name: "stillhouse-client",
    version: versionOf(root),
    description: "A client of a Stillhouse control plane",
    type: "module",
    license,
    engines,
    exports: { types: "./lib/client/index.d.ts", default: "./lib/client/index.js" },
    dependencies: Object.fromEntries(
      ["@bufbuild/protobuf", "@grpc/grpc-js"].map((name) => [name, dependencies[name]]),
    ),
  };
  mkdirSync(out, { recursive: true });
  writeFileSync(join(out, "package.json"), `${JSON.stringify(manifest, null, 2)}\n`);
  for (const file of ["example.mjs", "README.md"]) cpSync(join(source, file), join(out, file));
  const places = ["--rootDir", join(root, "src"), "--outDir", join(out, "lib")];
  const tsc = join(root, "node_modules", ".bin", "tsc");
  return runForeground(tsc, [join(source, "index.ts"), ...TSC_OPTIONS, ...places], { cwd: root });
}

/** @param {string} root @returns {string} */
function versionOf(root) {
  return packageOf(root).version;
}

/** @param {string} root */
function packageOf(root) {
  return JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
}
