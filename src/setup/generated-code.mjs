import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { join, relative } from "node:path";

import { explain } from "./failure.mjs";
import { pythonPath } from "./python-environment.mjs";
import { fingerprint, readStamp, writeStamp } from "./stamp.mjs";

const STAMP = ".stamp.json";
const DRAFT = join(".setup", "generated");
const TS_OPTIONS = [
  "outputServices=grpc-js",
  "esModuleInterop=true",
  "oneof=unions-value",
  "forceLong=bigint",
  "useDate=true",
  "stringEnums=true",
  "removeEnumPrefix=true",
  "importSuffix=.js",
  "env=node",
  // JSON has the proto's field names, like everything that people and Python read.
  "snakeToCamel=keys",
  "protoJsonFormat=false",
].join(",");

/** The page only reads JSON: readers without a runtime library, numbers that it can draw. */
const PAGE_OPTIONS = [
  "outputServices=none",
  "outputEncodeMethods=false",
  "outputJsonMethods=from-only",
  "outputPartialMethods=false",
  "oneof=unions-value",
  "forceLong=number",
  "useDate=true",
  "stringEnums=true",
  "removeEnumPrefix=true",
  "importSuffix=.js",
  "snakeToCamel=keys",
  "protoJsonFormat=false",
].join(",");

// Our protos, and those for details of errors: https://github.com/googleapis/googleapis.
const PROTO_FOLDERS = [join("stillhouse", "v1"), join("google", "rpc")];

// Name inside the draft folder → place in the project.
const OUTPUTS = {
  typescript: join("src", "generated"),
  [join("python", "stillhouse")]: join("python_worker", "stillhouse_proto"),
};

// protoc names Python modules by the path of the proto, whose first part is the name of a package
// that is written by hand. Nothing changes on the wire, since descriptors hold the message names.
const PYTHON_IMPORT = /^(from|import) stillhouse\.v1\b/gm;
const PYTHON_PACKAGE = "stillhouse_proto.v1";

// Where earlier versions put the generated Python.
const FORMER_PLACES = ["v1", STAMP].map((name) => join("python_worker", "stillhouse", name));

/** @type {import("./steps.mjs").Step} */
export const generatedCode = {
  name: "Generated code",
  unfinished: [DRAFT],

  isCurrent({ root }) {
    const fresh = wanted(root);
    return (
      Object.values(OUTPUTS).every(
        (place) => readStamp(join(root, place, STAMP))?.fingerprint === fresh,
      ) && !FORMER_PLACES.some((place) => existsSync(join(root, place)))
    );
  },

  async build(context) {
    const { root } = context;
    const draft = join(root, DRAFT);
    rmSync(draft, { recursive: true, force: true });
    await generate(context, draft);
    for (const place of FORMER_PLACES) rmSync(join(root, place), { recursive: true, force: true });
    for (const [name, place] of Object.entries(OUTPUTS)) {
      writeStamp(join(draft, name, STAMP), { fingerprint: wanted(root) });
      replaceFolder(join(root, place), join(draft, name));
    }
    rmSync(draft, { recursive: true, force: true });
  },
};

/** @param {import("./steps.mjs").Context} context @param {string} draft */
async function generate({ root, env, run }, draft) {
  for (const name of [join("typescript", "page"), "python"]) {
    mkdirSync(join(draft, name), { recursive: true });
  }
  const logPath = join(root, ".setup", "protoc.log");
  const { exitCode, output } = await run(
    pythonPath(root),
    ["-I", "-m", "grpc_tools.protoc", ...protocArguments(root, draft)],
    { env, logPath },
  );
  if (exitCode !== 0) throw explain({ tool: "protoc", root, logPath }, output, exitCode);
  movePythonImports(join(draft, "python", "stillhouse", "v1"));
  for (const folder of ["stillhouse", join("stillhouse", "v1")]) {
    writeFileSync(join(draft, "python", folder, "__init__.py"), "");
  }
}

/** @param {string} folder of generated Python, whose modules import each other */
function movePythonImports(folder) {
  for (const name of readdirSync(folder)) {
    const path = join(folder, name);
    const code = readFileSync(path, "utf8");
    writeFileSync(path, code.replace(PYTHON_IMPORT, `$1 ${PYTHON_PACKAGE}`));
  }
}

/** @param {string} root @param {string} draft */
function protocArguments(root, draft) {
  const plugin = (/** @type {string} */ name, /** @type {string} */ path) =>
    `--plugin=protoc-gen-${name}=${join(root, path)}`;
  const python = join(draft, "python");
  return [
    "--proto_path=proto",
    plugin("ts_proto", "node_modules/.bin/protoc-gen-ts_proto"),
    `--ts_proto_out=${join(draft, "typescript")}`,
    `--ts_proto_opt=${TS_OPTIONS}`,
    plugin("ts_page", "node_modules/.bin/protoc-gen-ts_proto"),
    `--ts_page_out=${join(draft, "typescript", "page")}`,
    `--ts_page_opt=${PAGE_OPTIONS}`,
    // For server reflection and OpenAPI.
    `--descriptor_set_out=${join(draft, "typescript", "descriptors.binpb")}`,
    "--include_imports",
    // OpenAPI and reflection show the comments as descriptions.
    "--include_source_info",
    `--python_out=${python}`,
    `--grpc_python_out=${python}`,
    plugin("mypy", ".venv/bin/protoc-gen-mypy"),
    `--mypy_out=quiet:${python}`,
    plugin("mypy_grpc", ".venv/bin/protoc-gen-mypy_grpc"),
    `--mypy_grpc_out=quiet:${python}`,
    ...protoFiles(root).map((path) => relative(root, path)),
  ];
}

/** @param {string} place @param {string} fresh */
function replaceFolder(place, fresh) {
  if (existsSync(place)) renameSync(place, `${fresh}-before`);
  renameSync(fresh, place);
}

/** @param {string} root @returns {string[]} in a fixed order */
function protoFiles(root) {
  return PROTO_FOLDERS.flatMap((name) => {
    const folder = join(root, "proto", name);
    const names = readdirSync(folder).filter((name) => name.endsWith(".proto"));
    return names.sort().map((name) => join(folder, name));
  });
}

/** @param {string} root */
function wanted(root) {
  const protos = protoFiles(root).flatMap((path) => [relative(root, path), readFileSync(path)]);
  const tsProto = readFileSync(join(root, "node_modules", "ts-proto", "package.json"));
  const lock = readFileSync(join(root, "python_worker", "requirements.lock"), "utf8");
  const generators = lock.match(/^(grpcio-tools|mypy-protobuf|protobuf)==.*$/gm) ?? [];
  const options = [TS_OPTIONS, PAGE_OPTIONS, PYTHON_PACKAGE];
  return fingerprint([...protos, tsProto, ...generators, ...options]);
}
