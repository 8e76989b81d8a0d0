import assert from "node:assert/strict";
import { describe, test } from "node:test";

import {
  parsePython,
  parseTypeScript,
  readPython,
  readTypeScript,
  type SourceFile,
} from "../fixtures/import-reader.js";

/** A folder or file of the sources, without suffix. */
type Area = string;

interface Rules {
  /** What an area may import of our own code; what is not named here may not be imported. */
  readonly mayImport: Readonly<Record<Area, readonly Area[]>>;
  /** The only areas that may import a package. */
  readonly packageOnlyIn: Readonly<Record<string, readonly Area[]>>;
  /** The only packages that an area may import, Node's own included. */
  readonly packagesOf: Readonly<Record<Area, readonly string[]>>;
  /** Areas that may not hold this code. */
  readonly noCode: readonly { readonly code: RegExp; readonly exceptIn: readonly Area[] }[];
}

const EVERYTHING = ["*"];

const TYPESCRIPT: Rules = {
  mayImport: {
    errors: ["generated"],
    statistics: [],
    "make-folder": [],
    text: [],
    baselines: [],
    "metric-names": [],
    "metric-descriptors": ["generated", "metric-names"],
    // The files that the page imports read messages of either form, and import no generated code.
    results: ["baselines", "generated", "statistics", "text"],
    settings: ["baselines", "errors", "generated"],
    messages: ["generated"],
    experiment: [
      "baselines",
      "errors",
      "generated",
      "metric-descriptors",
      "results",
      "settings",
      "statistics",
      "text",
    ],
    logging: ["experiment/domain/ports", "experiment/domain/line-rate", "make-folder"],
    security: [
      "errors",
      "generated",
      "messages",
      "experiment/domain/ports",
      "experiment/domain/worker-ports",
      "experiment/domain/line-rate",
      "logging",
      "make-folder",
    ],
    client: ["errors", "generated", "api/client", "api/endpoint"],
    api: ["errors", "generated", "messages", "settings", "experiment", "security"],
    store: ["errors", "generated", "settings", "statistics", "experiment", "make-folder"],
    grafana: ["generated", "metric-descriptors", "metric-names"],
    telemetry: [
      "baselines",
      "errors",
      "generated",
      "experiment",
      "metric-descriptors",
      "metric-names",
      "results",
    ],
    mlflow: [
      "errors",
      "generated",
      "settings",
      "statistics",
      "experiment",
      "metric-names",
      "results",
    ],
    worker: ["errors", "generated", "messages", "settings", "experiment", "setup/python-env"],
    study: ["baselines", "generated", "settings"],
    dashboard: [
      "baselines",
      "generated/page",
      "metric-names",
      "statistics",
      "text",
      "results",
      "settings/range",
    ],
    // Pages are made from plain values.
    report: ["text"],
    cli: [
      "baselines",
      "errors",
      "make-folder",
      "generated",
      "metric-descriptors",
      "metric-names",
      "settings",
      "study",
      "statistics",
      "report",
      "text",
      "results",
      "security",
      "api/client",
      "api/endpoint",
    ],
    "open-home": ["errors", "security", "api/client", "store"],
    "control-plane": [
      "errors",
      "generated",
      "experiment",
      "security",
      "api",
      "store",
      "worker",
      "telemetry",
      "mlflow",
      "open-home",
    ],
    main: EVERYTHING,
  },
  packageOnlyIn: {
    "@grpc/grpc-js": ["api"],
    "@grpc/proto-loader": ["api/grpc/reflection"],
    "@grpc/reflection": ["api/grpc/reflection"],
    "grpc-health-check": ["api/grpc"],
    tinyqueue: ["experiment"],
    zeromq: ["worker", "security/keys/curve-certificate"],
    "@peculiar/x509": ["security/keys/certificates"],
    "@grafana/grafana-foundation-sdk": ["grafana"],
    express: ["api/http"],
    "prom-client": ["telemetry", "control-plane"],
    libsql: ["store"],
    pg: ["store/postgres"],
    pythonia: ["worker/bridge"],
    "node:child_process": ["worker", "store/backup", "store/integrity"],
    commander: ["cli"],
    "cli-progress": ["cli"],
    "cli-table3": ["cli/terminal/table"],
    picocolors: ["cli"],
    "p-limit": ["cli"],
    preact: ["dashboard", "report"],
    "preact-iso": ["dashboard"],
    "@preact/signals": ["dashboard"],
    uplot: ["dashboard/charts"],
    "@observablehq/plot": ["dashboard/charts", "report"],
    linkedom: ["report"],
    "preact-render-to-string": ["report"],
  },
  // The domain does no I/O: it hashes, names the type of a stream of bytes and keeps a heap.
  packagesOf: { experiment: ["node:crypto", "node:stream", "tinyqueue"] },
  noCode: [
    { code: /\bprocess\s*\.\s*env\b/, exceptIn: ["main"] },
    { code: /\bprocess\s*\.\s*exit\b/, exceptIn: ["main"] },
    // For some paths that a person may name, Node's own function never returns.
    { code: /\bmkdir(?:Sync)?\s*\([^;]*\brecursive\b|\bmkdir: true\b/, exceptIn: ["setup"] },
    // Its enums are other types than those of the rest of the program, though the names are the same.
    { code: /generated\/page\//, exceptIn: ["dashboard"] },
    // Nothing that comes from outside is run as code.
    { code: /(?<![.\w$])eval\s*\(|\bnew Function\b|["']node:vm["']/, exceptIn: [] },
    // An error of a known kind is made by the kind's function of errors.ts.
    { code: /\bnew StillhouseError\(\s*FailureKind\./, exceptIn: ["errors"] },
    {
      code: /\bfunction (?:invalid|notFound|conflict|environment|internal|unavailable)\(/,
      exceptIn: ["errors"],
    },
  ],
};

/** The rooms of the two largest parts, and which others of the same part each may import. */
const ROOMS: Readonly<Record<Area, readonly Area[]>> = {
  "experiment/domain": [],
  "experiment/scheduling": ["domain"],
  "experiment/services": ["domain", "scheduling"],
  "cli/terminal": [],
  "cli/connect": ["terminal"],
  "cli/results": ["terminal"],
  "cli/progress": ["results", "terminal"],
  "cli/run": ["connect", "progress", "results", "terminal"],
  "cli/group": ["run", "connect", "progress", "terminal"],
  "cli/experiment": ["group", "run", "connect", "progress", "results", "terminal"],
  "cli/replay": ["group", "experiment", "terminal"],
  "cli/robustness": ["group", "experiment", "run", "connect", "results", "terminal"],
  "cli/reproduce": ["robustness", "group", "experiment", "run", "connect", "results", "terminal"],
  "cli/sweep": ["group", "experiment", "run", "results", "terminal"],
  "cli/service": ["results", "terminal"],
  "cli/stillhouse": ["run", "connect", "progress", "results", "terminal"],
};

const GROUND = ["addresses", "errors", "seeding", "stopping", "tensorfile"];
const CORE = [...GROUND, "learners", "datasets", "distillation"];

const PYTHON: Rules = {
  mayImport: {
    __init__: ["artifacts"],
    errors: [],
    seeding: [],
    tensorfile: [],
    printable: [],
    stopping: [],
    addresses: [],
    hub_access: [],
    npm_package: ["errors", "hub_access"],
    devices: ["errors"],
    learners: GROUND,
    datasets: [...GROUND, "hub_access", "npm_package"],
    models: ["errors", "hub_access", "npm_package", "learners", "stopping"],
    distillation: [...GROUND, "learners", "datasets"],
    context: [...CORE, "models", "__version__"],
    evaluation: [...CORE, "context"],
    artifact_files: CORE,
    artifacts: [...CORE, "models", "evaluation", "artifact_files"],
    tasks: [...CORE, "devices", "context", "evaluation", "artifacts", "artifact_files"],
    convert: ["errors", "devices", "datasets", "distillation", "context"],
    inspection: [...CORE, "printable", "hub_access", "devices", "models", "artifacts"],
    process: [
      "addresses",
      "errors",
      "printable",
      "stopping",
      "tensorfile",
      "devices",
      "context",
      "artifact_files",
      "tasks",
      "convert",
    ],
    __main__: EVERYTHING,
  },
  packageOnlyIn: {
    zmq: ["process/worker", "process/connection", "process/credentials"],
    grpc: ["process/checkpoint_transfer", "process/credentials", "process/patient_calls"],
    stillhouse_proto: ["convert"],
    // The public package builds on the worker, which knows nothing about it.
    stillhouse: [],
  },
  packagesOf: {},
  noCode: [
    {
      code: /\bos\s*\.\s*(environ|getenv)\b|\bfrom os import\b/,
      exceptIn: ["context/event_files", "hub_access", "__main__"],
    },
    {
      code: /(?<![.\w])(eval|exec)\s*\(|\ballow_pickle\b|\btrust_remote_code\s*=\s*(?!False\b)/,
      exceptIn: [],
    },
    // That file pins what a model's config may ask for.
    { code: /(?<!nn\.Embedding\.)\bfrom_pretrained\b/, exceptIn: ["models/opened"] },
    // With weights_only, torch reads tensors and runs nothing.
    {
      code: /\bpickle\b|\btorch\s*\.\s*load\((?![^)]*weights_only\s*=\s*True)/,
      exceptIn: [],
    },
  ],
};

function isIn(path: string, area: Area): boolean {
  return path === area || path.startsWith(`${area}/`);
}

function areaOf(path: string): Area {
  return path.split("/")[0] ?? path;
}

/** Sentences on what breaks the rules. */
function violations(files: readonly SourceFile[], rules: Rules): string[] {
  const own = new Set(files.flatMap(({ path }) => [areaOf(path)]).concat("generated"));
  const isOwn = (target: string) => own.has(areaOf(target)) && !(target in rules.packageOnlyIn);
  return files.flatMap((file) => [
    ...file.imports.filter(isOwn).flatMap((target) => wrongArrow(file.path, target, rules)),
    ...file.imports
      .filter((target) => !isOwn(target))
      .flatMap((target) => wrongPackage(file.path, target, rules)),
    ...wrongCode(file, rules),
  ]);
}

function wrongArrow(path: string, target: string, { mayImport }: Rules): string[] {
  const allowed = mayImport[areaOf(path)];
  const fine =
    allowed === undefined ||
    allowed === EVERYTHING ||
    areaOf(path) === areaOf(target) ||
    allowed.some((area) => isIn(target, area));
  return fine
    ? []
    : [`${path} imports ${target}; it may import ${allowed.join(", ") || "nothing"}`];
}

function roomOf(path: string): Area {
  return path.split("/").slice(0, 2).join("/");
}

/** Sentences on files outside every room, and on arrows between rooms that no row allows. */
function wrongRooms(files: readonly SourceFile[]): string[] {
  const halls = new Set(Object.keys(ROOMS).map(areaOf));
  return files
    .filter(({ path }) => halls.has(areaOf(path)))
    .flatMap(({ path, imports }) => {
      const allowed = ROOMS[roomOf(path)];
      if (allowed === undefined) return [`${path} is in no room of the table`];
      const rooms = [roomOf(path), ...allowed.map((room) => `${areaOf(path)}/${room}`)];
      return imports
        .filter((target) => areaOf(target) === areaOf(path) && !rooms.includes(roomOf(target)))
        .map(
          (target) => `${path} imports ${target}; of its part it may import ${rooms.join(", ")}`,
        );
    });
}

function wrongPackage(path: string, target: string, rules: Rules): string[] {
  const name = Object.keys(rules.packageOnlyIn).find(
    (known) => target === known || target.startsWith(`${known}.`),
  );
  const places = name === undefined ? undefined : rules.packageOnlyIn[name];
  const allowed = rules.packagesOf[areaOf(path)];
  return [
    ...(places && !places.some((area) => isIn(path, area))
      ? [`${path} imports ${target}; only ${places.join(", ")} may`]
      : []),
    ...(allowed && !allowed.includes(target)
      ? [`${path} imports ${target}; of packages it may import ${allowed.join(", ")}`]
      : []),
  ];
}

function wrongCode({ path, code }: SourceFile, { noCode }: Rules): string[] {
  return noCode
    .filter((rule) => rule.code.test(code) && !rule.exceptIn.some((area) => isIn(path, area)))
    .map((rule) => `${path} holds ${rule.code.exec(code)?.[0]}`);
}

describe("imports", () => {
  test("the arrows between the TypeScript parts point one way", () => {
    const files = readTypeScript();
    assert.ok(files.length > 20, `only ${files.length} files were read`);
    assert.deepEqual(violations(files, TYPESCRIPT), []);
  });

  for (const [language, read, rules] of [
    ["TypeScript", readTypeScript, TYPESCRIPT],
    ["Python", readPython, PYTHON],
  ] as const) {
    test(`every ${language} part has a row in the table`, () => {
      const areas = new Set(read().map(({ path }) => areaOf(path)));
      const missing = [...areas].filter((area) => !(area in rules.mayImport));
      assert.deepEqual(missing, []);
    });
  }

  test("the arrows between the rooms of a part point one way", () => {
    assert.deepEqual(wrongRooms(readTypeScript()), []);
  });

  test("the arrows between the Python parts point one way", () => {
    const files = readPython();
    assert.ok(files.length > 20, `only ${files.length} files were read`);
    assert.deepEqual(violations(files, PYTHON), []);
  });
});

describe("the reader of imports catches a planted violation", () => {
  const planted: [rule: string, path: string, text: string][] = [
    ["api never sees store", "api/http/x", 'import { open } from "../../store/database.js";'],
    ["store never sees worker", "store/x", 'export * from "../worker/hub.js";'],
    [
      "the page imports only generated code for JSON",
      "dashboard/x",
      'import "../generated/stillhouse/v1/spec.js";',
    ],
    [
      "only the page imports generated code for JSON",
      "cli/x",
      'import "../generated/page/stillhouse/v1/spec.js";',
    ],
    ["cli sees only the client of api", "cli/x", 'import { serve } from "../api/grpc/server.js";'],
    ["cli starts no control plane", "cli/x", 'import type { A } from "../control-plane.js";'],
    ["experiment does no I/O", "experiment/x", 'import { readFileSync } from "node:fs";'],
    [
      "only the bridge imports pythonia",
      "worker/x",
      'const { python } = await import("pythonia");',
    ],
    ["only HTTP imports express", "api/grpc/x", 'import express from "express";'],
    ["the domain imports no metrics library", "experiment/x", 'import "prom-client";'],
    ["only worker imports zeromq", "api/x", 'import {\n  Router,\n} from "zeromq";'],
    ["an import for side effects counts", "settings/x", 'import "libsql";'],
    ["only main reads the environment", "cli/x", "const home = process.env.HOME;"],
    ["only main exits", "store/x", "process.exit(1);"],
    [
      "no folder is made by Node's recursive mkdir",
      "store/x",
      "mkdirSync(a, { recursive: true });",
    ],
    ["no text is run as code", "cli/x", "const run = new Function(text);"],
    [
      "an error's kind is set only in errors.ts",
      "cli/x",
      "throw new StillhouseError(\n  FailureKind.INVALID, text);",
    ],
    [
      "no other file has a function per kind of error",
      "api/x",
      "function conflict(message: string) {}",
    ],
  ];
  for (const [rule, path, text] of planted) {
    test(`TypeScript: ${rule}`, () => {
      const files = [...readTypeScript(), parseTypeScript(path, text)];
      const found = violations(files, TYPESCRIPT).filter((text) => text.startsWith(`${path} `));
      assert.notEqual(found.length, 0);
    });
  }

  const plantedRooms: [rule: string, path: string, text: string][] = [
    [
      "the domain never sees scheduling",
      "experiment/domain/x",
      'import "../scheduling/leases.js";',
    ],
    ["results never see a command", "cli/results/x", 'import "../experiment/experiment.js";'],
    ["no file lies outside a room", "cli/x", ""],
  ];
  for (const [rule, path, text] of plantedRooms) {
    test(`rooms: ${rule}`, () => {
      assert.equal(wrongRooms([parseTypeScript(path, text)]).length, 1);
    });
  }

  const plantedPython: [rule: string, path: string, text: string][] = [
    ["distillation never sees zmq", "distillation/x", "import zmq"],
    ["learners never see gRPC", "learners/x", "import torch, grpc"],
    ["only convert sees generated code", "tasks/x", "from stillhouse_proto.v1 import spec_pb2"],
    ["evaluation never reads the environment", "evaluation/x", "import os\nos.environ['A']"],
    ["learners never see datasets", "learners/x", "from ..datasets import (\n    Batch,\n)"],
    ["distillation never sees tasks", "distillation/deep/x", "from ...tasks import distill"],
    ["tasks never see the process", "tasks/x", "from ..process import worker"],
    ["the context never sees tasks", "context/x", "from ..tasks.execute import execute"],
    ["inspection never sees tasks", "inspection/x", "from ..tasks import distill"],
    ["the worker never sees the public package", "tasks/x", "import stillhouse.client"],
    ["an absolute import counts", "tasks/x", "from stillhouse_worker import convert"],
    ["an import within a function counts", "tasks/x", "def f():\n    import zmq.asyncio"],
    ["nothing is unpickled", "tasks/x", "import pickle"],
    ["no text is run as code", "tasks/x", "value = eval(text)"],
    ["no model may run code of its own", "learners/x", "open(path, trust_remote_code=True)"],
    ["only models/opened loads a pretrained model", "tasks/x", "AutoModel.from_pretrained(path)"],
    ["nothing is unpickled by torch", "tasks/x", "torch.load(path, map_location='cpu')"],
  ];
  for (const [rule, path, text] of plantedPython) {
    test(`Python: ${rule}`, () => {
      const files = [...readPython(), parsePython(path, text)];
      const found = violations(files, PYTHON).filter((text) => text.startsWith(`${path} `));
      assert.notEqual(found.length, 0);
    });
  }

  test("comments and docstrings are not code", () => {
    const typescript = parseTypeScript("cli/x", '// import "zeromq";\n/* process.env */\n');
    const python = parsePython("learners/x", '"""\nimport zmq\n"""\n# os.environ\n');
    assert.deepEqual(violations([typescript], TYPESCRIPT), []);
    assert.deepEqual(violations([python], PYTHON), []);
  });
});
