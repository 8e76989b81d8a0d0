import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { it } from "node:test";

const PROJECT = join(import.meta.dirname, "..", "..");
const FOLDERS = ["test", "python_worker/tests"];
/** Paths that are meant to be absent, and those of the folder that all programs share. */
const OF_THE_MACHINE = /["'`]\/(nowhere|no|not|none|missing|absent|gone|tmp)\b[^"'`]*/g;

it("no test names a file outside its own folder, which other machines may have or lack", () => {
  const files = FOLDERS.flatMap((folder) =>
    readdirSync(join(PROJECT, folder), { recursive: true, encoding: "utf8" })
      .filter((name) => /\.(ts|py)$/.test(name) && !/^bench/.test(name))
      .map((name) => join(folder, name)),
  );
  assert.ok(files.length > 100, "it looks at the tests of both languages");
  const named = files.flatMap((file) => {
    const found = readFileSync(join(PROJECT, file), "utf8").match(OF_THE_MACHINE) ?? [];
    return found.map((path) => `${file}: ${path}`);
  });
  assert.deepEqual(named, []);
});
