import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";

import { runForeground } from "./foreground.mjs";

const PYTHON_FILES = ["__init__.py", "client.py", "errors.py"];
const TSC_OPTIONS = [
  ...["--target", "es2022", "--module", "nodenext", "--types", "node", "--strict"],
  ...["--skipLibCheck", "--declaration", "--noEmit", "false", "--ignoreConfig"],
];

/**
 * Writes the packages for clients, of both languages, each complete with its generated code.
 *
 * @param {string} root
 * @param {string} [out] folder that gets `python` and `typescript`
 * @returns {Promise<number>} 0 when both were made
 */
export async function runClients(root, out = join(root, "dist", "clients")) {
  rmSync(out, { recursive: true, force: true });
  writePythonPackage(root, join(out, "python"));
  return writeNodePackage(root, join(out, "typescript"));
}

/** @param {string} root @param {string} out */
function writePythonPackage(root, out) {
  const worker = join(root, "python_worker");
  const source = join(worker, "stillhouse_client");
  mkdirSync(out, { recursive: true });
  for (const file of PYTHON_FILES) {
    cpSync(join(source, file), join(out, "stillhouse_client", file));
  }
  writeFileSync(join(out, "stillhouse_client", "py.typed"), "");
  for (const file of ["example.py", "README.md"]) cpSync(join(source, file), join(out, file));
  cpSync(join(worker, "stillhouse"), join(out, "stillhouse"), {
    recursive: true,
    filter: (path) => basename(path) !== "__pycache__" && !basename(path).startsWith(".stamp"),
  });
  const lock = readFileSync(join(worker, "requirements.lock"), "utf8");
  // Generated code needs at least the versions that it was made with.
  const requirements = ["grpcio", "protobuf"].map((name) => {
    const version = new RegExp(`^${name}==(.+)$`, "m").exec(lock)?.[1] ?? "0";
    return `  "${name}>=${version}",`;
  });
  writeFileSync(
    join(out, "pyproject.toml"),
    `[build-system]
requires = ["setuptools>=77"]
build-backend = "setuptools.build_meta"

[project]
name = "stillhouse-client"
version = "${versionOf(root)}"
description = "A client of a Stillhouse control plane"
readme = "README.md"
requires-python = ">=3.11"
license = "Apache-2.0"
dependencies = [
${requirements.join("\n")}
]

[tool.setuptools.packages.find]
include = ["stillhouse_client", "stillhouse", "stillhouse.*"]

[tool.setuptools.package-data]
"*" = ["*.pyi", "py.typed"]
`,
  );
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
