import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, type TestContext } from "node:test";
import { fileURLToPath } from "node:url";
import { FailureKind } from "../../src/errors.js";
import { emptySpec } from "../../src/settings/field-path.js";
import { PythonBridge } from "../../src/worker/bridge.js";
import { PythonInspector } from "../../src/worker/python-inspector.js";
import { isAlive } from "../fixtures/command.js";
import { factsOf } from "../fixtures/facts.js";
import { fails } from "../fixtures/fails.js";
import { afterwards, temporaryFolder } from "../fixtures/temporary-folder.js";
import { it, NET_MS, until } from "../fixtures/waiting.js";
import { TestPlane } from "./test-plane.js";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));

/** A Python package stillhouse_worker with the given code as its inspection. */
function pythonWith(test: TestContext, inspection: string, main = "") {
  const folder = temporaryFolder(test);
  mkdirSync(join(folder, "stillhouse_worker"));
  writeFileSync(join(folder, "stillhouse_worker", "__init__.py"), "");
  writeFileSync(join(folder, "stillhouse_worker", "__main__.py"), main);
  writeFileSync(join(folder, "stillhouse_worker", "inspection.py"), `import json\n${inspection}`);
  // The bridge removes PYTHONPATH from the environment, so this Python sets its own.
  const pythonPath = join(folder, "python");
  writeFileSync(pythonPath, `#!/bin/sh\nPYTHONPATH="${folder}" exec python3 "$@"\n`);
  chmodSync(pythonPath, 0o755);
  return { pythonPath, env: { PATH: process.env.PATH } };
}

type Python = ReturnType<typeof pythonWith>;

function bridgeTo(test: TestContext, inspection: string, limits = {}) {
  const python = pythonWith(test, inspection);
  const logPath = join(temporaryFolder(test), "inspection.log");
  const options = { ...python, logPath, timeoutMs: NET_MS, ...limits };
  const bridge = new PythonBridge(options);
  afterwards(test, () => bridge.stop());
  return { bridge, logPath };
}

const ECHO = `
def system(request):
    print("to stdout")
    return json.dumps({"ok": {"got": json.loads(request), "long": "ü" * 200000}})
`;

describe("the bridge to Python", () => {
  it("asks and answers in JSON of any length, and prints into its log only", async (test) => {
    const { bridge, logPath } = bridgeTo(test, ECHO);
    const request = { data_dir: 'a "quoted" ü path', home: null };
    const answer = (await bridge.ask("system", request)) as { got: unknown; long: string };
    assert.deepEqual(answer.got, request);
    assert.equal(answer.long.length, 200_000);
    await bridge.stop();
    assert.equal(readFileSync(logPath, "utf8").trim(), "to stdout");
  });

  it("asks one question at a time, in order", async (test) => {
    const { bridge } = bridgeTo(
      test,
      `
import time
running = 0
def system(request):
    global running
    running += 1
    time.sleep(0.05)
    seen, running = running, running - 1
    return json.dumps({"ok": [json.loads(request)["n"], seen]})
`,
    );
    const answers = await Promise.all([1, 2, 3].map((n) => bridge.ask("system", { n })));
    assert.deepEqual(answers, [
      [1, 1],
      [2, 1],
      [3, 1],
    ]);
  });

  it("throws the failure that Python answers with, its kind and field too", async (test) => {
    const failure = { kind: "not_found", message: "no data set 'x'", field: "dataset.name" };
    const answer = JSON.stringify(JSON.stringify({ failure }));
    const { bridge } = bridgeTo(test, `def describe(request): return ${answer}`);
    const none = fails(FailureKind.NOT_FOUND, /no data set 'x'/, "dataset.name");
    await assert.rejects(bridge.ask("describe", {}), none);
  });

  it("passes on the text of an exception, and continues to work after it", async (test) => {
    const { bridge } = bridgeTo(
      test,
      `
def describe(request): raise ValueError("what went wrong")
def system(request): return json.dumps({"ok": 1})
`,
    );
    const wrong = fails(FailureKind.ENVIRONMENT, /ValueError: what went wrong/);
    await assert.rejects(bridge.ask("describe", {}), wrong);
    assert.equal(await bridge.ask("system", {}), 1);
  });

  it("says which module an incomplete environment lacks", async (test) => {
    const { bridge } = bridgeTo(test, "import no_such_package");
    const missing = /No module named 'no_such_package'.*run the command again/;
    await assert.rejects(bridge.ask("system", {}), fails(FailureKind.ENVIRONMENT, missing));
  });

  it("notices at once that Python died, and starts it again for the next question", async (test) => {
    const { bridge } = bridgeTo(
      test,
      `
import os, sys
def describe(request):
    print("last words", file=sys.stderr, flush=True)
    os._exit(7)
def system(request): return json.dumps({"ok": os.getpid()})
`,
    );
    const first = await bridge.ask("system", {});
    const died = fails(FailureKind.ENVIRONMENT, /exit code 7: last words/);
    await assert.rejects(bridge.ask("describe", {}), died);
    assert.notEqual(await bridge.ask("system", {}), first);
  });

  it("ends a Python that gives no answer in time", async (test) => {
    const hangs = "import time\ndef system(request): time.sleep(60)";
    const { bridge } = bridgeTo(test, hangs, { timeoutMs: 1_500 });
    const slow = fails(FailureKind.ENVIRONMENT, /no answer within 1\.5 s/);
    await assert.rejects(bridge.ask("system", {}), slow);
  });

  it("ends an idle Python, and starts it again for the next question", async (test) => {
    const inspection = "import os\ndef system(request): return json.dumps({'ok': os.getpid()})";
    const { bridge } = bridgeTo(test, inspection, { idleMs: 100 });
    const first = await bridge.ask("system", {});
    await until(() => !isAlive(Number(first)));
    assert.notEqual(await bridge.ask("system", {}), first);
  });

  it("says so when there is no Python, without a crash", async (test) => {
    const folder = temporaryFolder(test);
    const logPath = join(folder, "log");
    const pythonPath = join(folder, ".venv", "bin", "python");
    const bridge = new PythonBridge({ pythonPath, env: {}, logPath, timeoutMs: NET_MS });
    const none = /\.venv\/bin\/python does not exist; run the command again/;
    await assert.rejects(bridge.ask("system", {}), fails(FailureKind.ENVIRONMENT, none));
    await bridge.stop();
  });

  it("neither keeps Node alive nor outlives it", async (test) => {
    const python = pythonWith(
      test,
      "import os\ndef system(request): return json.dumps({'ok': os.getpid()})",
    );
    const logPath = join(temporaryFolder(test), "log");
    const options = { ...python, logPath, timeoutMs: NET_MS };
    const text = `
      import { PythonBridge } from "./src/worker/bridge.js";
      console.log(await new PythonBridge(${JSON.stringify(options)}).ask("system", {}));`;
    const args = ["--import", "tsx", "--input-type=module", "-e", text];
    const limits = { cwd: ROOT, encoding: "utf8", timeout: NET_MS } as const;
    const child = spawnSync(process.execPath, args, limits);
    assert.equal(child.status, 0, child.stderr);
    const pid = Number(child.stdout);
    assert.ok(pid > 0);
    await until(() => !isAlive(pid));
  });
});

describe("a draft", () => {
  const facts = JSON.stringify(JSON.stringify({ ok: factsOf() }));

  it("is described by Python and resolved with its plan over gRPC", async (test) => {
    const python = pythonWith(test, `def describe(request): return ${facts}`);
    const plane = await TestPlane.start(test, python);
    const draft = emptySpec();
    draft.name = "mine";
    const { spec, tasks, description } = await plane.client.resolve(draft);
    assert.equal(spec?.name, "mine");
    assert.equal(spec?.dataset?.name, "ag_news");
    assert.equal(description?.trainRows, 20_000);
    assert.ok(tasks.length >= 2 && tasks.every(({ id }) => id === ""));
    assert.ok(await plane.client.create(spec, ""), "what was resolved can be created");
  });

  it("that is invalid by itself is refused without asking Python", async (test) => {
    const plane = await TestPlane.start(test);
    const draft = emptySpec();
    Object.assign(draft.inner ?? {}, { lr: -1 });
    const wrong = fails(FailureKind.INVALID, /inner\.lr.*-1/, "inner.lr");
    await assert.rejects(plane.client.resolve(draft), wrong);
  });

  it("whose data is missing is downloaded first, with progress", async (test) => {
    const flag = join(temporaryFolder(test), "fetched");
    const wanted = { dataset: "ag_news", model: null, embeddings: null };
    const downloads = JSON.stringify(
      JSON.stringify({ ok: { downloads: ["ag_news"], fetch: wanted } }),
    );
    const python = pythonWith(
      test,
      `
import os
def describe(request):
    return ${facts} if os.path.exists(${JSON.stringify(flag)}) else ${downloads}
`,
      `
import sys
print("Downloading", *sys.argv[1:], file=sys.stderr)
open(${JSON.stringify(flag)}, "w")
`,
    );
    const told: string[] = [];
    const { inspector } = inspectorOf(test, python, told);
    assert.deepEqual(await inspector.describe(emptySpec()), factsOf());
    assert.deepEqual(told, ["Downloading fetch --dataset ag_news"]);
  });

  it("whose download fails says why", async (test) => {
    const wanted = { dataset: null, model: "bert-base-uncased", embeddings: null };
    const downloads = JSON.stringify(JSON.stringify({ ok: { downloads: ["x"], fetch: wanted } }));
    const python = pythonWith(
      test,
      `def describe(request): return ${downloads}`,
      'import sys\nsys.exit("error: the hub does not answer")',
    );
    const { inspector } = inspectorOf(test, python, []);
    const failed = /bert-base-uncased could not be downloaded: the hub does not answer/;
    await assert.rejects(inspector.describe(emptySpec()), fails(FailureKind.ENVIRONMENT, failed));
  });
});

function inspectorOf(test: TestContext, python: Python, told: string[]) {
  const logPath = join(temporaryFolder(test), "inspection.log");
  const bridge = new PythonBridge({ ...python, logPath, timeoutMs: NET_MS });
  afterwards(test, () => bridge.stop());
  const info = (message: string) => told.push(message);
  const log = { debug: () => {}, info, warn: info, error: info };
  return { inspector: new PythonInspector({ bridge, ...python, log }) };
}
