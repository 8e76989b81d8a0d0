import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdirSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { describe, type TestContext } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { MetricPoint } from "../../src/generated/stillhouse/v1/experiment.js";
import { runClients } from "../../src/setup/clients.mjs";
import { resolvedSpec } from "../fixtures/experiments.js";
import { temporaryFolder } from "../fixtures/temporary-folder.js";
import { PYTHON } from "../fixtures/tiny.js";
import { it } from "../fixtures/waiting.js";
import { TestPlane } from "../integration/test-plane.js";

const run = promisify(execFile);
const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const CLIENTS = join(ROOT, "dist", "clients");

/** A control plane with an experiment without baselines, which `finish` brings to its end. */
async function planeWithExperiment(test: TestContext) {
  const plane = await TestPlane.start(test);
  const worker = await plane.worker();
  const spec = resolvedSpec();
  spec.baseline = { ...spec.baseline, full: false, random: false, untrained: false };
  const { id } = await plane.client.create(spec, "");
  const finish = async () => {
    const assign = await worker.nextTask();
    const points = [4, 2, 3].map((value, index) =>
      MetricPoint.fromPartial({
        ...{ name: "outer_loss", sequence: BigInt(index + 1), step: BigInt(index), value },
      }),
    );
    await worker.reported(assign, { $case: "metrics", value: { points } });
    await worker.finish(assign);
    await worker.finishNext();
  };
  return { plane, id, finish };
}

describe("the packages for clients", async () => {
  let made: Promise<number> | undefined;
  const build = async () => {
    made ??= runClients(ROOT);
    assert.equal(await made, 0);
  };

  it("in Python installs, and its example follows an experiment", async (test) => {
    await build();
    const { plane, id, finish } = await planeWithExperiment(test);
    const site = temporaryFolder(test);
    const offline = ["--quiet", "--no-index", "--no-deps", "--no-build-isolation"];
    const python = join(CLIENTS, "python");
    await run(PYTHON, ["-m", "pip", "install", ...offline, "--target", site, python]);
    const example = [join(python, "examples", "follow_experiment.py"), plane.plane.address];
    // The example may import only what was installed, not the files beside it.
    const code = `import sys, runpy; sys.path[:0] = [${JSON.stringify(site)}]; sys.argv = sys.argv[1:]; runpy.run_path(sys.argv[0], run_name="__main__")`;
    const following = run(PYTHON, ["-I", "-c", code, ...example, id]);
    await finish();
    const lines = (await following).stdout.trim().split("\n");
    assert.ok(lines.includes(`${id}-evaluate STATE_SUCCEEDED`), lines.join("\n"));
    assert.deepEqual(lines.slice(-2), [
      `${id} STATE_SUCCEEDED`,
      "outer_loss: 3 points, the last (2, 3.0)",
    ]);
    await assert.rejects(run(PYTHON, ["-I", "-c", code, ...example, "nope"]), {
      code: 1,
      stderr: 'not_found: there is no experiment "nope"\n',
    });
  });

  it("in TypeScript resolves, and its example follows an experiment", async (test) => {
    await build();
    const { plane, id, finish } = await planeWithExperiment(test);
    const folder = temporaryFolder(test);
    mkdirSync(join(folder, "node_modules"));
    symlinkSync(join(CLIENTS, "typescript"), join(folder, "node_modules", "stillhouse-client"));
    const script = join(folder, "example.mjs");
    symlinkSync(join(CLIENTS, "typescript", "example.mjs"), script);
    const example = ["--preserve-symlinks-main", script, plane.plane.address];
    const following = run(process.execPath, [...example, id], { cwd: folder });
    await finish();
    const lines = (await following).stdout.trim().split("\n");
    assert.ok(lines.includes(`${id}-evaluate STATE_SUCCEEDED`), lines.join("\n"));
    assert.deepEqual(lines.slice(-2), [
      `${id} STATE_SUCCEEDED`,
      "outer_loss: 3 points from 2 to 4",
    ]);
    await assert.rejects(run(process.execPath, [...example, "nope"], { cwd: folder }), {
      code: 1,
      stderr: 'FAILURE_KIND_NOT_FOUND: there is no experiment "nope"\n',
    });
  });
});
