import assert from "node:assert/strict";
import { cpSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe } from "node:test";
import { RunningCommand } from "../fixtures/command.js";
import { KeptHome } from "../fixtures/kept-home.js";
import { tinyDataAndModel, tinyFlags } from "../fixtures/tiny.js";
import { it } from "../fixtures/waiting.js";

const tiny = tinyDataAndModel();
const DISTIL = [
  ...tinyFlags(tiny),
  ...["--outer-steps", "20", "--validations", "1", "--inits", "1", "--baselines", "none"],
  ...["--sl", "unrestricted", "--al", "cls", "--json"],
];
const home = new KeptHome();
const elsewhere = mkdtempSync(join(tmpdir(), "stillhouse-artifact-"));
before(() => home.open());
after(async () => {
  await home.remove();
  rmSync(elsewhere, { recursive: true, force: true });
});

/** The figures of a run, without times. */
function measured(stdout: string): Record<string, unknown> {
  const { experiment_id: _, ...document } = JSON.parse(stdout, (key, value) =>
    key === "train_time_s" ? undefined : value,
  );
  return document;
}

describe("robustness", () => {
  it("measures existing data, is killed, and continues to the same figures", async () => {
    const made = await home.run(DISTIL);
    assert.equal(made.exitCode, 0, made.stderr);
    const { experiment_id: id, artifact } = JSON.parse(made.stdout);
    cpSync(artifact, elsewhere, { recursive: true });
    const flags = [
      ...["--inits", "2", "--checks", "labels,decoding", "--baselines", "random"],
      ...["--transfer-to", tiny.model, "--json"],
    ];

    await home.close(); // so that the command has a control plane of its own to be killed with
    const killed = new RunningCommand([id, ...flags], home.path, "robustness");
    await killed.sees(/Evaluation, random own labels: accuracy/);
    killed.signal("SIGKILL");
    await killed.ended;
    await home.open();
    const again = await home.run([id, ...flags], "robustness");
    assert.equal(again.exitCode, 0, again.stderr);
    assert.doesNotMatch(again.stderr, /Evaluation, hard labels/, "it is done already");

    const { conditions, baselines, relative_scores: scores } = JSON.parse(again.stdout);
    const byId = new Map<string, Record<string, never>>(
      conditions.map((condition: { id: string }) => [condition.id, condition]),
    );
    assert.deepEqual(
      [...byId.keys()],
      ["plain", "hard-labels", "random-own-labels", "decoded", "decoded-hard-labels", "transfer-1"],
    );
    for (const { accuracy, confusion, train_time_s: seconds } of conditions) {
      assert.equal(accuracy.n, 2);
      assert.equal(
        confusion.flat().reduce((sum: number, rows: number) => sum + rows, 0),
        48,
      );
      assert.ok(seconds > 0);
    }
    // The same weights under another path: nothing may change.
    assert.equal((byId.get("transfer-1")?.difference as { mean: number } | undefined)?.mean, 0);
    assert.deepEqual(
      baselines.map((row: { id: string }) => row.id),
      ["random"],
    );
    assert.equal(scores.hard_label_recovery, null, "there is no full-data baseline");
    assert.equal(scores.against[0].ior_own_labels.n, 2);

    const taken = await home.run([elsewhere, ...flags], "robustness");
    assert.equal(taken.exitCode, 0, taken.stderr);
    assert.doesNotMatch(taken.stderr, /accuracy/, "nothing is computed again for the same bytes");
    const artifactIds = readdirSync(join(home.path, "artifacts"));
    assert.equal(artifactIds.length, 2, "the one from elsewhere is in the home as well");
    const { artifact_id: one, ...first } = measured(again.stdout);
    const { artifact_id: other, ...second } = measured(taken.stdout);
    assert.notEqual(one, other);
    assert.deepEqual(second, first);

    const listed = await home.run(["ls"], "stillhouse");
    assert.match(listed.stdout, new RegExp(`robustness of ${id}`));
  });

  it("says that an artifact does not exist", async () => {
    const missing = await home.run(["nothing-here"], "robustness");
    assert.equal(missing.exitCode, 1);
    assert.match(missing.stderr, /there is no experiment "nothing-here"/);
  });
});
