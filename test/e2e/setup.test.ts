import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { chmodSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, afterEach, before, describe } from "node:test";
import { isAlive } from "../fixtures/command.js";
import { type Ended, SetupCopy } from "../fixtures/setup-copy.js";
import { sendSignal } from "../fixtures/signals.js";
import { PYTHON } from "../fixtures/tiny.js";
import { it as test, until } from "../fixtures/waiting.js";

const MAIN = "export async function main(argv: string[]) { console.log(JSON.stringify(argv)); }\n";
const STAMPS = [
  "node_modules/.stillhouse-stamp.json",
  ".venv/stillhouse-stamp.json",
  "src/generated/.stamp.json",
  "python_worker/stillhouse_proto/.stamp.json",
];
const WAITING = /Another set-up is at work in this folder/;

/** A failure that a person can read: a sentence on stderr, no stack, and nothing on stdout. */
function assertPlainFailure({ exitCode, stdout, stderr }: Ended, sentence: RegExp): void {
  assert.match(stderr, sentence);
  assert.equal(exitCode, 1);
  assert.equal(stdout, "");
  assert.doesNotMatch(stderr, /^\s+at .*:\d+/m);
}

describe("a folder that was set up", () => {
  let copy: SetupCopy;
  before(async () => {
    copy = new SetupCopy();
    copy.write("src/main.ts", MAIN);
    const first = await copy.run(["experiment", "--json"]);
    assert.equal(first.exitCode, 0, first.stderr);
    assert.deepEqual(JSON.parse(first.stdout), ["experiment", "--json"]);
    for (const step of ["npm packages", "Python environment", "Generated code"]) {
      assert.match(first.stderr, new RegExp(`✓ ${step}`));
    }
  });
  after(() => copy.dispose());

  test("starts the program without other processes and without output", async () => {
    copy.forgetCalls();
    const again = await copy.run(["doctor", "x y"], { PATH: join(copy.folder, "none") });
    assert.deepEqual(again, {
      exitCode: 0,
      signal: null,
      stdout: '["doctor","x y"]\n',
      stderr: "",
    });
    assert.deepEqual(copy.calls(), []);
  });

  test("compiles a changed program; a change with an error fails and keeps what was compiled", async () => {
    copy.write(
      "src/main.ts",
      `import { word } from "./word.js";\n${MAIN.replace("argv)", "word)")}`,
    );
    copy.write("src/word.ts", 'export const word: string = "new";\n');
    assert.equal((await copy.run(["doctor"])).stdout, '"new"\n');
    copy.write("src/word.ts", "export const word = ;\n");
    assertPlainFailure(await copy.run(["doctor"]), /tsc failed.*word\.ts[\s\S]*tsc\.log/);
    assert.match(copy.read("built/word.js"), /"new"/);
    copy.remove("src/word.ts");
    copy.write("src/main.ts", MAIN);
    assert.equal((await copy.run(["doctor"])).stdout, '["doctor"]\n');
    assert.ok(!copy.has("built/word.js"));
  });

  test("lets Python find the worker under a path with ü in the locale of cron", () => {
    const folder = join(copy.root, ".venv", "lib", "python3.11", "site-packages");
    const program = "import site, sys; site.addsitedir(sys.argv[1]); print(ascii(sys.path[-1]))";
    const found = execFileSync(PYTHON, ["-I", "-c", program, folder], {
      env: { LC_ALL: "C" },
      encoding: "utf8",
    });
    assert.match(folder, /ü/);
    assert.equal(found.trim(), `'${join(copy.root, "python_worker").replaceAll("ü", "\\xfc")}'`);
  });

  test("generates code again when a proto changes, and installs nothing", async () => {
    copy.forgetCalls();
    copy.write("proto/stillhouse/v1/new.proto", 'syntax = "proto3";\npackage stillhouse.v1;\n');
    assert.equal((await copy.run(["setup"])).exitCode, 0);
    assert.deepEqual([copy.numCalls("protoc"), copy.numCalls("pip")], [1, 0]);
  });

  test("removes the generated Python where earlier versions put it, and nothing else", async () => {
    mkdirSync(join(copy.root, "python_worker/stillhouse/v1"), { recursive: true });
    copy.write("python_worker/stillhouse/v1/spec_pb2.py", "");
    copy.write("python_worker/stillhouse/.stamp.json", "{}");
    copy.write("python_worker/stillhouse/client.py", "");
    assert.equal((await copy.run(["setup"])).exitCode, 0);
    assert.ok(!copy.has("python_worker/stillhouse/v1"));
    assert.ok(!copy.has("python_worker/stillhouse/.stamp.json"));
    assert.ok(copy.has("python_worker/stillhouse/client.py"));
    assert.ok(copy.has("python_worker/stillhouse_proto/.stamp.json"));
  });

  test("keeps the generated code when a proto is wrong, and names the log", async () => {
    copy.behave({ fail: { work: "protoc", output: "spec.proto:3:1: Expected ';'. error" } });
    assertPlainFailure(
      await copy.run(["generate"]),
      /protoc failed.*Expected ';'[\s\S]*protoc\.log/,
    );
    assert.ok(copy.has("src/generated/spec.ts"));
    assert.ok(!copy.has(".setup/generated"));
    copy.behave({});
  });

  test("updates the Python environment in place when a lock file changes", async () => {
    copy.forgetCalls();
    const lock = copy.read("python_worker/requirements.lock");
    copy.write("python_worker/requirements.lock", lock.replace(/^xxhash==.*\n/m, "six==1.17.0\n"));
    assert.equal((await copy.run(["setup"])).exitCode, 0);
    assert.equal(copy.numCalls("venv"), 0);
    assert.ok(copy.calls().some((call) => /^pip uninstall .*xxhash/.test(call)));
    assert.ok(copy.has(".venv/lib/python3.11/site-packages/six-1.17.0.dist-info"));
  });

  test("notices that somebody removed the program in JavaScript, and repairs it", async () => {
    copy.remove("built");
    assert.equal((await copy.run(["doctor"])).stdout, '["doctor"]\n');
  });

  const damages: [what: string, path: string, rebuilds: string][] = [
    ["the folder of npm packages", "node_modules", "npm"],
    ["one npm package", "node_modules/zod", "npm"],
    ["the Python environment", ".venv", "venv"],
    ["the environment's Python", ".venv/bin/python", "venv"],
    ["a Python package", ".venv/lib/python3.11/site-packages/pyzmq-27.3.0.dist-info", "venv"],
    ["the generated TypeScript", "src/generated", "protoc"],
    ["the generated Python", "python_worker/stillhouse_proto", "protoc"],
  ];
  for (const [what, path, rebuilds] of damages) {
    test(`notices that somebody removed ${what}, and repairs it`, async () => {
      copy.forgetCalls();
      copy.remove(path);
      const repaired = await copy.run(["setup"]);
      assert.equal(repaired.exitCode, 0, repaired.stderr);
      assert.equal(copy.numCalls(rebuilds), 1);
      assert.ok(copy.has(path));
    });
  }
});

describe("an interrupted set-up", () => {
  let copy: SetupCopy;
  afterEach(() => {
    copy.release();
    copy.dispose();
  });

  for (const [work, signal] of [
    ["npm", "SIGINT"],
    ["pip", "SIGTERM"],
    ["protoc", "SIGHUP"],
  ] as const) {
    test(`leaves nothing half-done and no process behind (${signal} during ${work})`, async () => {
      copy = new SetupCopy();
      copy.behave({ hang: work });
      const running = copy.start(["setup"]);
      const pids = await copy.hanging();
      running.process.kill(signal);
      const { exitCode, stdout, stderr } = await running.ended;
      assert.equal(exitCode, 130);
      assert.equal(stdout, "");
      assert.match(stderr, /Interrupted/);
      await until(() => !pids.some(isAlive));
      const place = { npm: "node_modules", pip: ".venv", protoc: ".setup/generated" }[work];
      assert.ok(!copy.has(place));
      copy.behave({});
      assert.equal((await copy.run(["setup"])).exitCode, 0);
      assert.ok(STAMPS.every((stamp) => copy.has(stamp)));
    });
  }

  test("that was killed does not count as done, and the next one waits for its children", async () => {
    copy = new SetupCopy();
    copy.behave({ hang: "pip" });
    const killed = copy.start(["setup"]);
    const [pip, child] = await copy.hanging();
    killed.process.kill("SIGKILL");
    await killed.ended;
    assert.ok(copy.has(".venv") && !copy.has(".venv/stillhouse-stamp.json"));
    copy.behave({});
    const next = copy.start(["setup"]);
    await until(() => WAITING.test(next.stderr()));
    assert.ok(pip && isAlive(pip));
    for (const pid of [pip, child]) sendSignal(pid, "SIGKILL");
    assert.equal((await next.ended).exitCode, 0);
    assert.equal(copy.numCalls("venv"), 2);
    assert.ok(STAMPS.every((stamp) => copy.has(stamp)));
  });
});

describe("two commands right after a clone", () => {
  const copy = new SetupCopy();
  after(() => copy.dispose());

  test("set up once: the second says that it waits, and finds everything ready", async () => {
    copy.write("src/main.ts", MAIN);
    copy.behave({ hang: "npm" });
    const first = copy.start(["experiment", "1"]);
    await copy.hanging();
    const second = copy.start(["experiment", "2"]);
    await until(() => WAITING.test(second.stderr()));
    copy.release();
    const [one, two] = await Promise.all([first.ended, second.ended]);
    assert.deepEqual([one.stdout, two.stdout], ['["experiment","1"]\n', '["experiment","2"]\n']);
    assert.deepEqual([copy.numCalls("npm"), copy.numCalls("venv")], [1, 1]);
    assert.doesNotMatch(one.stderr, WAITING);
  });
});

describe("a missing requirement is named with the command that fixes it", () => {
  const copy = new SetupCopy();
  after(() => copy.dispose());
  afterEach(() => copy.behave({}));

  test("no Python at all, before anything is downloaded", async () => {
    const bin = join(copy.folder, "npm-only");
    mkdirSync(bin);
    writeFileSync(join(bin, "npm"), "#!/bin/sh\nexit 1\n");
    chmodSync(join(bin, "npm"), 0o755);
    const ended = await copy.run(["setup"], { PATH: bin });
    assertPlainFailure(ended, /needs Python ≥ 3\.11.*apt-get install python3 python3-venv/);
    assert.ok(!copy.has("node_modules"));
  });

  test("a Python that is too old", async () => {
    copy.behave({ python: { version: [3, 9, 2], missing: [] } });
    assertPlainFailure(await copy.run(["setup"]), /found only 3\.9\.2.*apt-get install python3/);
  });

  test("a Python without its venv module, as Debian ships it", async () => {
    copy.behave({ python: { version: [3, 12, 1], missing: ["ensurepip"] } });
    const ended = await copy.run(["setup"]);
    assertPlainFailure(ended, /lacks its module ensurepip.*apt-get install python3\.12-venv/);
  });

  test("a named Python that is not one", async () => {
    const none = join(copy.folder, "none");
    const ended = await copy.run(["setup"], { STILLHOUSE_PYTHON: none });
    assertPlainFailure(ended, /STILLHOUSE_PYTHON=\/.*\/none is not Python ≥ 3\.11/);
  });

  test("a Node that is too old", async () => {
    const old = join(copy.folder, "old-node.cjs");
    writeFileSync(
      old,
      'const node = "18.19.0"; Object.defineProperty(process, "versions", { value: { node } });',
    );
    const ended = await copy.run(["setup"], { NODE_OPTIONS: `--require=${old}` });
    assertPlainFailure(ended, /needs Node ≥ 20, and this is 18\.19\.0.*nvm install 20/);
  });

  const tools: [what: string, work: "npm" | "pip", output: string, sentence: RegExp][] = [
    ["no network for npm", "npm", "npm error code EAI_AGAIN", /npm cannot reach.*npm ping/],
    [
      "no network for pip",
      "pip",
      "NewConnectionError: [Errno 111]\nERROR: No matching distribution found for pip==26.3",
      /pip cannot reach its package registry \(NewConnectionError\)/,
    ],
    ["a full disk", "pip", "OSError: [Errno 28] No space left on device", /disk .* is full.*df -h/],
    [
      "a package that this Python cannot have",
      "pip",
      "ERROR: No matching distribution found for torch==2.13.0",
      /offers no torch==2\.13\.0.*STILLHOUSE_PYTHON=/,
    ],
    [
      "anything else",
      "npm",
      "npm error bad thing",
      /npm failed \(exit code 1\): npm error bad thing/,
    ],
  ];
  for (const [what, work, output, sentence] of tools) {
    test(`${what}, without leaving anything half-done`, async () => {
      for (const path of ["node_modules", ".venv"]) copy.remove(path);
      copy.behave({ fail: { work, output } });
      assertPlainFailure(await copy.run(["setup"]), sentence);
      assert.ok(!copy.has(work === "npm" ? "node_modules" : ".venv"));
    });
  }

  test("npm", async () => {
    rmSync(join(copy.bin, "npm"));
    copy.remove("node_modules");
    assertPlainFailure(await copy.run(["setup"]), /npm is not on the PATH.*apt-get install npm/);
  });
});

describe("the commands", () => {
  const copy = new SetupCopy();
  after(() => copy.dispose());

  test("are listed when the name is unknown, without any set-up", async () => {
    const { exitCode, stderr } = await copy.run(["experimnt"]);
    assert.equal(exitCode, 2);
    assert.match(stderr, /no command "experimnt"[\s\S]*npm run experiment[\s\S]*npm run bench/);
    assert.deepEqual(copy.calls(), []);
  });

  test("explain themselves, without any set-up", async () => {
    const { exitCode, stdout } = await copy.run(["setup", "--help"]);
    assert.equal(exitCode, 0);
    assert.match(stdout, /^Usage: npm run setup[\s\S]*STILLHOUSE_PYTHON/);
    assert.deepEqual(copy.calls(), []);
  });

  test("refuse arguments that they do not take", async () => {
    const { exitCode, stderr } = await copy.run(["check", "--fix"]);
    assert.deepEqual([exitCode, stderr], [2, "npm run check takes no arguments, got: --fix\n"]);
  });

  test("list the existing benchmarks or tests when one does not exist", async () => {
    mkdirSync(join(copy.root, "python_worker", "bench"), { recursive: true });
    copy.write("python_worker/bench/meta_gradient.py", "");
    const bench = await copy.run(["bench", "speed"]);
    assert.equal(bench.exitCode, 2);
    assert.match(bench.stderr, /no benchmark "speed"\. Benchmarks: meta-gradient/);
    const help = await copy.run(["bench", "--help"]);
    assert.match(help.stdout, /^Benchmarks: meta-gradient$/m);
    const missing = await copy.run(["test", "test/unit/none.test.ts"]);
    assert.equal(missing.exitCode, 2);
    assert.match(missing.stderr, /"test\/unit\/none\.test\.ts" is no test/);
  });
});
