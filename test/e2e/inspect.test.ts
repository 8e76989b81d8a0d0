import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe } from "node:test";
import { KeptHome } from "../fixtures/kept-home.js";
import { tinyDataAndModel, tinyFlags } from "../fixtures/tiny.js";
import { it } from "../fixtures/waiting.js";

const FLAGS = [
  ...tinyFlags(tinyDataAndModel()),
  ...["--outer-steps", "12", "--validations", "1", "--baselines", "none", "--al", "cls", "--json"],
];
const home = new KeptHome();
let id = "";
before(() => home.open());
after(() => home.remove());

describe("inspect", () => {
  it("shows the tokens, labels, attention and rates of an artifact, by its id", async () => {
    const made = await home.run(FLAGS);
    assert.equal(made.exitCode, 0, made.stderr);
    const { artifact } = JSON.parse(made.stdout);
    id = JSON.parse(made.stdout).experiment_id;
    const shown = await home.run([id], "inspect");
    assert.equal(shown.exitCode, 0, shown.stderr);
    assert.match(shown.stdout, /Data set colours · model .* · learning rate \d/);
    assert.match(shown.stdout, /attention labels of the first token/);

    const json = await home.run([artifact, "--json", "--top", "2"], "inspect");
    const { samples, learning_rates: rates } = JSON.parse(json.stdout);
    assert.equal(rates.length, 1);
    assert.equal(samples.length, 2);
    for (const { labels, positions, attention } of samples) {
      assert.equal(labels.length, 2);
      assert.equal(positions.length, 8, "S");
      assert.ok(positions.every((nearest: unknown[]) => nearest.length === 2));
      const sum = attention[0][0].reduce((total: number, share: number) => total + share, 0);
      assert.ok(Math.abs(sum - 1) < 0.01, "attention labels are shares");
    }

    const page = join(home.path, "pages", "distilled.html");
    const written = await home.run([id, "--html", page], "inspect");
    assert.equal(written.stdout, `Page: ${page}\n`, written.stderr);
    const html = readFileSync(page, "utf8");
    assert.equal(html.match(/aria-label="Attention labels by layer/g)?.length, 2);
    assert.ok(html.includes(`npm run inspect -- ${id} --html`));
  });

  it("measures learners that were trained on the nearest tokens, and finds a shared artifact", async () => {
    const measured = await home.run([id, "--accuracy", "--inits", "2", "--json"], "inspect");
    assert.equal(measured.exitCode, 0, measured.stderr);
    const { accuracy, samples } = JSON.parse(measured.stdout);
    assert.equal(samples.length, 2);
    assert.deepEqual(
      accuracy.map((row: { id: string; n: number }) => [row.id, row.n]),
      [
        ["plain", 2],
        ["decoded", 2],
        ["decoded-hard-labels", 2],
      ],
    );
    const again = await home.run([id, "--accuracy", "--inits", "2"], "inspect");
    assert.match(again.stdout, /as distilled +│ +\d+\.\d ± \d+\.\d │ 2 │/);

    const shared = await home.run([...FLAGS, "--inits", "1"]);
    const other = JSON.parse(shared.stdout).experiment_id;
    assert.notEqual(other, id);
    const shown = await home.run([other], "inspect");
    assert.match(shown.stdout, /attention labels of the first token/, shown.stderr);
  });

  it("says that an artifact does not exist, and what --top must be", async () => {
    const missing = await home.run(["nothing-here"], "inspect");
    assert.equal(missing.exitCode, 1);
    assert.match(missing.stderr, /there is no experiment "nothing-here"/);
    const folder = await home.run(["./nothing-here"], "inspect");
    assert.match(folder.stderr, /no artifact at .*nothing-here/);
    const top = await home.run(["x", "--top", "0"], "inspect");
    assert.equal(top.exitCode, 2);
    assert.match(top.stderr, /--top must be a whole number from 1 to 50, got 0/);
    const none = await home.run([], "inspect");
    assert.equal(none.exitCode, 2);
  });
});
