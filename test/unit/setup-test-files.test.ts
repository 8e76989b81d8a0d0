import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
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
