import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before, describe } from "node:test";
import type { Ended } from "../fixtures/command.js";
import { KeptHome } from "../fixtures/kept-home.js";
import { tinyDataAndModel, tinyFlags } from "../fixtures/tiny.js";
import { it } from "../fixtures/waiting.js";

/** So few steps from noise that not everything is learned, so that the rows differ. */
const FLAGS = [
  ...tinyFlags(tinyDataAndModel()),
  ...["--outer-steps", "12", "--validations", "1", "--lr", "0.01", "--inits", "4"],
  ...["--x-init", "noise"],
];
const TABLES = ["soft-labels", "init"];

const home = new KeptHome();
before(() => home.open());
after(() => home.remove());

function reproduce(args: readonly string[]) {
  return home.run([...args, ...FLAGS], "reproduce");
}

describe("reproduce", () => {
  let first: Ended;

  it("prints each table with the study's figures, its rows from one experiment each", async () => {
    first = await reproduce([...TABLES, "--json"]);
    const { exitCode, stdout, stderr } = first;
    assert.equal(exitCode, 0, stderr);
    const { tables, report, page } = JSON.parse(stdout);
    assert.deepEqual(
      tables.map(({ id, rows }: { id: string; rows: { variant: string }[] }) => [
        id,
        ...rows.map(({ variant }) => variant),
      ]),
      [
        ["init", "", "none", "none"],
        ["soft-labels", "", "none", "restricted", "unrestricted"],
      ],
    );
    const [init, soft] = tables;
    assert.match(init.rows[1].label, /fixed init/);
    assert.equal(init.rows[1].accuracy.n, 1);
    assert.deepEqual(soft.rows[1].study, { mean: 0.863, std: 0.034 });
    assert.equal(soft.rows[1].accuracy.n, 4);
    assert.equal(soft.rows[1].experiment_id, init.rows[2].experiment_id, "a shared row");
    assert.equal(soft.rows[1].gain, null);
    assert.equal(soft.rows[2].gain.n, 4, "paired over the same heads");
    // Their accuracies on so few rows may happen to be the same.
    assert.notEqual(soft.rows[2].loss, soft.rows[1].loss, "the rows differ");
    assert.ok(soft.rows[2].loss > 0);
    assert.equal(soft.rows[3].differences.length, 2);
    assert.equal(soft.rows[0].experiment_id, init.rows[0].experiment_id, "a shared baseline");
    const text = readFileSync(report, "utf8");
    assert.match(text, /\| Full data \| 96 \| .* 94\.7 \|/);
    assert.match(text, /Preset cpu, but with .*outer-steps 12 \(700\).*inits 4 \(10\)/);
    assert.match(text, /^ +npm run experiment -- --dataset colours .*--sl restricted /m);
    const html = readFileSync(page, "utf8");
    assert.equal(html.match(/aria-label="Accuracy of every test learner/g)?.length, 2);
    assert.equal(html.match(/aria-label="outer loss over outer steps/g)?.length, 2);
    assert.equal(html.match(/<h3>hard labels, seed 0<\/h3>/g)?.length, 1, "a shared row");
    assert.doesNotMatch(html, /could not be inspected/);
  });

  it("computes nothing when repeated, and only what is missing for another table", async () => {
    const { stdout: document } = first;
    const again = await reproduce([...TABLES, "--json"]);
    assert.equal(again.exitCode, 0, again.stderr);
    assert.deepEqual(JSON.parse(again.stdout), JSON.parse(document));
    assert.doesNotMatch(again.stderr, /outer step/);
    const more = await reproduce(["summary"]);
    assert.equal(more.exitCode, 0, more.stderr);
    assert.equal(more.stderr.match(/^Distillation: kept/gm)?.length, 1, more.stderr);
    assert.match(more.stdout, /SL unrestricted \+ AL cls .* 90\.7 ± 0\.2/);
  });

  it("says what a table must be, and that the tables vary a setting themselves", async () => {
    const wrong = await reproduce(["softlabels"]);
    assert.equal(wrong.exitCode, 2);
    assert.match(wrong.stderr, /must be one of summary, full-data, .*got "softlabels"/);
    const varied = await reproduce(["--sl", "none"]);
    assert.equal(varied.exitCode, 2);
    assert.match(varied.stderr, /--sl/);
    const seeds = await reproduce(["--seeds", "1,1"]);
    assert.equal(seeds.exitCode, 2);
    assert.match(seeds.stderr, /--seeds must be distinct whole numbers .*"1,1"/);
  });
});
