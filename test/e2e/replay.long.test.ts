import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe } from "node:test";
import { RunningCommand } from "../fixtures/command.js";
import { cornerFlags, writeCornerImages } from "../fixtures/corner-images.js";
import { KeptHome } from "../fixtures/kept-home.js";
import { it } from "../fixtures/waiting.js";

const folder = mkdtempSync(join(tmpdir(), "stillhouse-corners-"));
const [home, other] = [new KeptHome(), new KeptHome()];
const FLAGS = [...cornerFlags(join(folder, "corners")), "--seeds", "3,8"];

before(async () => {
  writeCornerImages(join(folder, "corners"));
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

describe("a replay that is killed", () => {
  it("continues, and ends in the figures of one that was not", async () => {
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
  });
});
