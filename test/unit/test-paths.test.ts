import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { it } from "node:test";
import { PROJECT } from "../fixtures/tiny.js";

const FOLDERS = ["test", "python_worker/tests"];
const ABSOLUTE = /(["'`])\/(\w[\w.-]*)/g;

/** The first parts of what begins with a slash and is no file that a test could find. */
const NO_FILES = {
  "of HTTP": /^(api|metrics|healthz|readyz|assets|icon|experiments|sweeps|workers|compare|new)$/,
  "of other servers": /^(flag|env|tree|paths-info)$/,
  "of gRPC": /^(stillhouse\.v1\.\w*|grpc\..*|ResolveExperiment)$/,
  "of the kernel": /^proc$/,
  "that are refused by their spelling": /^(etc|evil)$/,
  "that are compared or shown, and never opened": /^(data|home|user|models|elsewhere|m|a|k)$/,
};

function absolutePaths(file: string): string[] {
  const found = readFileSync(join(PROJECT, file), "utf8").matchAll(ABSOLUTE);
  const names = [...found].map(([, , name = ""]) => name.replace(/\.svg$/, ""));
  const isFile = (name: string) => !Object.values(NO_FILES).some((known) => known.test(name));
  return names.filter(isFile).map((name) => `${file}: /${name}`);
}

it("no test names a file outside a folder of its own, which other machines may have or lack", () => {
  const files = FOLDERS.flatMap((folder) =>
    readdirSync(join(PROJECT, folder), { recursive: true, encoding: "utf8" })
      .filter((name) => /\.(ts|py)$/.test(name) && !/^bench|test-paths/.test(name))
      .map((name) => join(folder, name)),
  );
  assert.ok(files.length > 100, "it looks at the tests of both languages");
  assert.deepEqual(files.flatMap(absolutePaths), []);
});
