import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe } from "node:test";
import { RunningCommand } from "../fixtures/command.js";
import { KeptHome } from "../fixtures/kept-home.js";
import { PYTHON } from "../fixtures/tiny.js";
import { it } from "../fixtures/waiting.js";

/** Four classes of images of 8 x 8, a corner of which is brighter than the rest. */
const WRITE_IMAGES = `
import pathlib, struct, sys
import numpy as np
folder = pathlib.Path(sys.argv[1])
folder.mkdir()
for split, rows in (("train", 160), ("test", 80)):
    labels = np.arange(rows, dtype=np.uint8) % 4
    images = np.random.default_rng(rows).integers(0, 200, (rows, 8, 8)).astype(np.uint8)
    for image, label in zip(images, labels):
        top, left = 4 * (label // 2), 4 * (label % 2)
        image[top : top + 4, left : left + 4] += 50
    for kind, values in (("images", images), ("labels", labels)):
        shape = struct.pack(f">{values.ndim}I", *values.shape)
        name = f"{split}-{kind}-idx{values.ndim}-ubyte"
        (folder / name).write_bytes(bytes([0, 0, 8, values.ndim]) + shape + values.tobytes())
`;

const folder = mkdtempSync(join(tmpdir(), "stillhouse-corners-"));
const [home, other] = [new KeptHome(), new KeptHome()];
const FLAGS = [
  ...["--tasks", `split:${join(folder, "corners")}`, "--model", "mlp", "--preset", "cpu"],
  ...["--methods", "simple,distilled", "--seeds", "3,8", "--inits", "2", "--json"],
  ...["--outer-steps", "40", "--steps", "2", "--batch-size", "16", "--validations", "0"],
  ...["--task-steps", "30", "--task-batch-size", "8", "--device", "cpu"],
];

before(async () => {
  execFileSync(PYTHON, ["-c", WRITE_IMAGES, join(folder, "corners")]);
  await home.open();
});
after(async () => {
  await Promise.all([home.remove(), other.remove()]);
  rmSync(folder, { recursive: true, force: true });
});

/** The figures of a run, without ids and times. */
function measured(stdout: string): Record<string, unknown> {
  const { methods, runs } = JSON.parse(stdout);
  return { methods, runs };
}

describe("replay", () => {
  it("is killed, continues, and ends in the figures of a run that was not", async () => {
    const killed = new RunningCommand(FLAGS, other.path, "replay");
    await killed.sees(/Memory of classes 0, 1, seed 3: kept outer step/);
    killed.signal("SIGKILL");
    await killed.ended;
    await other.open();
    const [whole, again] = await Promise.all([
      home.run(FLAGS, "replay"),
      other.run(FLAGS, "replay"),
    ]);
    assert.equal(whole.exitCode, 0, whole.stderr);
    assert.equal(again.exitCode, 0, again.stderr);
    assert.deepEqual(measured(again.stdout), measured(whole.stdout));
    const { methods, memories, runs } = JSON.parse(whole.stdout);
    const shown = methods.map((method: Record<string, unknown>) => [
      method.id,
      method.memory_samples,
      (method.accuracy as { n: number }).n,
    ]);
    assert.deepEqual(shown, [
      ["simple", 2, 4],
      ["distilled", 2, 4],
    ]);
    assert.equal(runs.length, 8);
    const images = await home.run([memories[0].artifact_id, "--json"], "inspect");
    assert.equal(images.exitCode, 0, images.stderr);
    assert.equal(JSON.parse(images.stdout).samples.length, 2);
  });

  it("lists its tasks, and refuses what does not fit", async () => {
    const plan = await home.run([...FLAGS, "--dry-run"], "replay");
    assert.equal(plan.exitCode, 0, plan.stderr);
    assert.equal(JSON.parse(plan.stdout).tasks.length, 6);
    const refused = await home.run([...FLAGS, "--class-order", "0,7"], "replay");
    assert.equal(refused.exitCode, 2);
    assert.match(refused.stderr, /--class-order .* 0 to 3, got 0,7/);
  });
});
