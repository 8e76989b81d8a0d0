import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe } from "node:test";
import { cornerFlags, writeCornerImages } from "../fixtures/corner-images.js";
import { KeptHome } from "../fixtures/kept-home.js";
import { it } from "../fixtures/waiting.js";

const folder = mkdtempSync(join(tmpdir(), "stillhouse-corners-"));
const home = new KeptHome();
const FLAGS = [...cornerFlags(join(folder, "corners")), "--seeds", "3"];

before(async () => {
  writeCornerImages(join(folder, "corners"));
  await home.open();
});
after(async () => {
  await home.remove();
  rmSync(folder, { recursive: true, force: true });
});

describe("replay", () => {
  it("distils memories, trains learners with each kind, and keeps the memories", async () => {
    const { exitCode, stdout, stderr } = await home.run(FLAGS, "replay");
    assert.equal(exitCode, 0, stderr);
    const { methods, memories, runs } = JSON.parse(stdout);
    const found = methods.map((method: Record<string, unknown>) => [
      method.id,
      method.memory_samples,
      (method.accuracy as { n: number }).n,
    ]);
    assert.deepEqual(found, [
      ["simple", 2, 2],
      ["distilled", 2, 2],
    ]);
    assert.deepEqual(
      runs.map(({ after }: { after: number[][] }) => after.map((row) => row.length)),
      Array.from({ length: 4 }, () => [1, 2]),
    );
    assert.deepEqual(
      memories.map(({ name }: { name: string }) => name),
      ["Memory of classes 0, 1, seed 3"],
    );
    const images = await home.run([memories[0].artifact_id, "--json"], "inspect");
    assert.equal(images.exitCode, 0, images.stderr);
    assert.equal(JSON.parse(images.stdout).samples.length, 2);
  });

  it("lists its tasks, and refuses what does not fit", async () => {
    const plan = await home.run([...FLAGS, "--dry-run"], "replay");
    assert.equal(plan.exitCode, 0, plan.stderr);
    const { tasks, experiments } = JSON.parse(plan.stdout);
    assert.deepEqual([tasks.length, experiments], [3, undefined]);
    const refused = await home.run([...FLAGS, "--class-order", "0,7"], "replay");
    assert.equal(refused.exitCode, 2);
    assert.match(refused.stderr, /--class-order .* 0 to 3, got 0,7/);
  });
});
