import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { it } from "node:test";
import { fileURLToPath } from "node:url";

import { groupTestFiles, NAMED_FILES } from "../../src/setup/test-groups.mjs";
import { temporaryFolder } from "../fixtures/temporary-folder.js";

it("files of a shared folder run in few processes, and each failure names its file", (test) => {
  const root = temporaryFolder(test);
  const unit = join(root, "test", "unit");
  mkdirSync(join(unit, "deep"), { recursive: true });
  const file = (name: string, body: string) => {
    const path = join(unit, name);
    writeFileSync(path, `import { afterEach, it } from "node:test";\n${body}`);
    return path;
  };
  const counting = "afterEach(() => console.log('pid ' + process.pid));\nit('counts', () => {});\n";
  const files = [
    ...["a.test.ts", "b.test.ts", "c.test.ts", "deep/d.test.ts"].map((name) =>
      file(name, counting),
    ),
    file("failing.test.ts", "it('fails', () => { throw new Error('on purpose'); });\n"),
    file("unreadable.test.ts", "import './absent.js';\n"),
  ];
  const entries = groupTestFiles(root, files, temporaryFolder(test));
  assert.equal(entries.length, 2);

  const { NODE_TEST_CONTEXT: _, ...env } = process.env;
  const args = ["--test", "--test-reporter=spec", ...entries];
  const run = spawnSync(process.execPath, ["--import", "tsx", ...args], { env, encoding: "utf8" });
  assert.equal(run.status, 1);
  const pids = [...run.stdout.matchAll(/^pid (\d+)$/gm)].map(([, pid]) => pid);
  assert.equal(pids.length, 4, "a hook runs for the tests of its own file alone");
  assert.equal(new Set(pids).size, 2);
  assert.match(run.stdout, /✖ test\/unit\/failing\.test\.ts/);
  assert.match(run.stdout, /✖ test\/unit\/unreadable\.test\.ts/);
  assert.match(run.stdout, /✔ test\/unit\/deep\/d\.test\.ts/);
});

it("a file that takes minutes, or starts work as it is imported, runs alone and first", (test) => {
  const root = temporaryFolder(test);
  const path = (name: string) => join(root, "test", name);
  const alone = ["unit/a.long.test.ts", "e2e/service.test.ts"].map(path);
  const shared = ["unit/a.test.ts", "e2e/any.test.ts", "integration/workers.test.ts"].map(path);
  const entries = groupTestFiles(root, [...shared, ...alone], root);
  assert.deepEqual(entries.slice(0, 2), alone);
  assert.equal(entries.length, 5, "each of the others in a process for its group");
});

it("every file that a rule names exists", () => {
  const folder = fileURLToPath(new URL("..", import.meta.url));
  const names = readdirSync(folder, { recursive: true, encoding: "utf8" }).map((name) =>
    basename(name),
  );
  assert.deepEqual(
    NAMED_FILES.filter((name) => !names.includes(name)),
    [],
  );
});
