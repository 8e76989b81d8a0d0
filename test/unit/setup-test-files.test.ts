import assert from "node:assert/strict";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { it } from "node:test";

import { testFiles } from "../../src/setup/test.mjs";
import { temporaryFolder } from "../fixtures/temporary-folder.js";

it("a folder selects its quick or its long tests, a named file only itself", (test) => {
  const folder = temporaryFolder(test);
  mkdirSync(join(folder, "deep"));
  const [quick, long] = [join(folder, "b.test.ts"), join(folder, "deep", "a.long.test.ts")];
  for (const file of [quick, long, join(folder, "fixture.ts")]) writeFileSync(file, "");
  assert.deepEqual(testFiles(folder, "quick"), [quick]);
  assert.deepEqual(testFiles(folder, "long"), [long]);
  assert.deepEqual(testFiles(long, "quick"), [long]);
});

it("a test that waits for processes or sockets has a limit, so that a hang is a failure", () => {
  const root = join(import.meta.dirname, "..");
  const files = ["integration", "e2e"].flatMap((room) =>
    (["quick", "long"] as const).flatMap((group) => testFiles(join(root, room), group)),
  );
  assert.ok(files.length > 50);
  const unlimited = /import \{[^}]*\bit\b[^}]*\} from "node:test"/;
  assert.deepEqual(
    files.filter((file) => unlimited.test(readFileSync(file, "utf8"))),
    [],
  );
});
