import assert from "node:assert/strict";
import { appendFileSync, existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe } from "node:test";
import { KeptHome } from "../fixtures/kept-home.js";
import { tinyDataAndModel, tinyFlags } from "../fixtures/tiny.js";
import { it } from "../fixtures/waiting.js";

const FLAGS = [
  ...tinyFlags(tinyDataAndModel()),
  ...["--outer-steps", "12", "--validations", "1", "--inits", "3", "--baselines", "none"],
];
const home = new KeptHome();
const folder = join(home.path, "result");
before(() => home.open());
after(() => home.remove());

/** The experiment of the folder, which a person may have changed. */
function rewrite(change: (row: { accuracies: number[] }) => void): void {
  const path = join(folder, "experiment.json");
  const document = JSON.parse(readFileSync(path, "utf8"));
  const rows: { id: string; accuracies: number[] }[] = document.experiment.result.rows;
  change(rows.find(({ id }) => id === "distilled") ?? assert.fail("no row of distilled data"));
  writeFileSync(path, JSON.stringify(document));
}

describe("verify", () => {
  it("finds what an experiment has exported, learner by learner", async () => {
    const made = await home.run([...FLAGS, "--export", "result"]);
    assert.equal(made.exitCode, 0, made.stderr);
    assert.match(made.stderr, /Exported to .*result/);
    for (const name of ["experiment.json", "result.json", "artifact/distilled.safetensors"]) {
      assert.ok(existsSync(join(folder, name)), name);
    }
    const again = await home.run([...FLAGS, "--export", "result"]);
    assert.deepEqual([again.exitCode, again.stdout], [2, ""]);
    assert.match(again.stderr, /--export: .*result is not empty/);

    const verified = await home.run(["result", "--fresh", "--json"], "verify");
    assert.equal(verified.exitCode, 0, verified.stderr);
    const { confirmed, rows } = JSON.parse(verified.stdout);
    assert.equal(confirmed, true);
    assert.equal(rows.length, 1);
    assert.deepEqual([rows[0].equal_learners, rows[0].difference.n], [3, 3]);
    assert.equal(rows[0].measured.accuracy.mean, rows[0].claimed.accuracy.mean);
    assert.match(verified.stderr, /Evaluation/, "it has trained them again");

    const fewer = await home.run(["result", "--inits", "2"], "verify");
    assert.equal(fewer.exitCode, 0, fewer.stderr);
    assert.match(fewer.stdout, /│ +2 │ +2 │\n.*\n.*\nConfirmed/);
  });

  it("says where the learners are not as good as claimed", async () => {
    const shifted = 0.02;
    rewrite(({ accuracies }) => accuracies.splice(0, 3, ...accuracies.map((x) => x + shifted)));
    const refuted = await home.run(["result", "--json"], "verify");
    assert.equal(refuted.exitCode, 1, refuted.stderr);
    const { confirmed, rows } = JSON.parse(refuted.stdout);
    assert.deepEqual([confirmed, rows[0].equal_learners], [false, 0]);
    assert.ok(Math.abs(rows[0].difference.mean + shifted) < 1e-9);
    const allowed = await home.run(["result", "--tolerance", "2.5"], "verify");
    assert.equal(allowed.exitCode, 0, allowed.stderr);
    rewrite(({ accuracies }) => accuracies.splice(0, 3, ...accuracies.map((x) => x - shifted)));
  });

  it("refuses what is no export, was changed, or cannot be compared", async () => {
    const cases: [args: string[], pattern: RegExp][] = [
      [[], /which result\? Give the folder of an export/],
      [["nowhere"], /nowhere\/experiment\.json does not exist/],
      [["result", "--inits", "4"], /--inits must be a whole number from 1 to 3/],
      [["result", "--tolerance", "-1"], /--tolerance must be from 0 to 100/],
      [["result", "--full"], /the folder has no result of full data/],
    ];
    for (const [args, pattern] of cases) {
      const refused = await home.run(args, "verify");
      assert.deepEqual([refused.exitCode, refused.stdout], [2, ""]);
      assert.match(refused.stderr, pattern);
    }
    appendFileSync(join(folder, "artifact", "distilled.safetensors"), " ");
    const changed = await home.run(["result"], "verify");
    assert.equal(changed.exitCode, 2);
    assert.match(changed.stderr, /distilled\.safetensors is not the file that was measured/);
    writeFileSync(join(folder, "experiment.json"), "{}");
    const empty = await home.run(["result"], "verify");
    assert.match(empty.stderr, /experiment\.json is not what .* export writes/);
  });
});
