import assert from "node:assert/strict";
import { test } from "node:test";

import { createNpmReader } from "../../src/setup/node-packages.mjs";
import { createPipReader } from "../../src/setup/pip-output.mjs";

test("pip's lines become the package, its place among all, and the megabytes of its download", () => {
  const shown: string[] = [];
  const read = createPipReader(67, (text) => shown.push(text));
  read("Collecting numpy==2.4.6 (from -r requirements.lock (line 42))");
  read(
    "Processing /wheels/torch-2.13.0-cp311-cp311-linux.whl (from -r requirements.lock (line 55))",
  );
  read("Progress 0 of 0");
  read("Progress 312000000 of 887000000");
  read("WARNING: Retrying (Retry(total=4)) after connection broken");
  read("Installing collected packages: numpy, torch");
  assert.deepEqual(shown, [
    "numpy 2.4.6 (1 of 67)",
    "torch 2.13.0 (2 of 67)",
    "torch 2.13.0 (2 of 67): 312 of 887 MB",
    "the package index does not answer, retrying",
    "unpacking 2 packages",
  ]);
});

test("what pip installs beyond the lock file does not count as progress through it", () => {
  const shown: string[] = [];
  const read = createPipReader(2, (text) => shown.push(text));
  read("Collecting torch==2.13.0 (from -r requirements.lock (line 1))");
  read("Collecting nvidia-cublas (from torch==2.13.0->-r requirements.lock)");
  assert.deepEqual(shown, ["torch 2.13.0 (1 of 2)", "nvidia-cublas (1 of 2)"]);
});

test("npm's lines become the number of fetched packages, whatever else it asks the registry", () => {
  const shown: string[] = [];
  const read = createNpmReader(2, (text) => shown.push(text));
  read("npm http fetch GET 200 https://registry.example/zod 90ms (cache miss)");
  read(
    "npm http fetch GET https://registry.example/zod/-/zod-4.tgz attempt 1 failed with ETIMEDOUT",
  );
  read("npm http fetch GET 200 https://registry.example/zod/-/zod-4.tgz 90ms (cache miss)");
  read("npm http fetch GET 200 https://registry.example/yaml/-/yaml-2.tgz 90ms (cache miss)");
  assert.deepEqual(shown, [
    "the registry does not answer, retrying",
    "1 of 2 packages",
    "2 of 2 packages",
  ]);
});
