import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe } from "node:test";
import { runCommand } from "../fixtures/command.js";
import { tinyDataAndModel, tinyFlags } from "../fixtures/tiny.js";
import { it } from "../fixtures/waiting.js";

const FLAGS = [
  ...tinyFlags(tinyDataAndModel()),
  ...["--outer-steps", "12", "--validations", "1", "--baselines", "none", "--al", "cls", "--json"],
];
const home = mkdtempSync(join(tmpdir(), "stillhouse-home-"));
let id = "";
after(() => rmSync(home, { recursive: true, force: true }));

describe("inspect", () => {
  it("shows the tokens, labels, attention and rates of an artifact, by its id", async () => {
    const made = await runCommand(FLAGS, home);
    assert.equal(made.exitCode, 0, made.stderr);
    const { artifact } = JSON.parse(made.stdout);
    id = JSON.parse(made.stdout).experiment_id;
    const shown = await runCommand([id], home, "inspect");
    assert.equal(shown.exitCode, 0, shown.stderr);
    assert.match(shown.stdout, /Data set colours · model .* · learning rate \d/);
    assert.match(shown.stdout, /attention labels of the first token/);

    const json = await runCommand([artifact, "--json", "--top", "2"], home, "inspect");
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

    const page = join(home, "pages", "distilled.html");
    const written = await runCommand([id, "--html", page], home, "inspect");
    assert.equal(written.stdout, `Page: ${page}\n`, written.stderr);
    const html = readFileSync(page, "utf8");
    assert.equal(html.match(/aria-label="Attention labels by layer/g)?.length, 2);
    assert.ok(html.includes(`npm run inspect -- ${id} --html`));
  });

  it("measures learners that are trained on the nearest tokens, and finds a shared artifact", async () => {
    const measured = await runCommand(
      [id, "--accuracy", "--inits", "2", "--json"],
      home,
      "inspect",
    );
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
    const again = await runCommand([id, "--accuracy", "--inits", "2"], home, "inspect");
    assert.match(again.stdout, /as distilled +│ +\d+\.\d ± \d+\.\d │ 2 │/);

    const shared = await runCommand([...FLAGS, "--inits", "1"], home);
    const other = JSON.parse(shared.stdout).experiment_id;
    assert.notEqual(other, id);
    const shown = await runCommand([other], home, "inspect");
    assert.match(shown.stdout, /attention labels of the first token/, shown.stderr);
  });

  it("says that there is no such artifact, and what --top must be", async () => {
    const missing = await runCommand(["nothing-here"], home, "inspect");
    assert.equal(missing.exitCode, 1);
    assert.match(missing.stderr, /there is no experiment "nothing-here"/);
    const folder = await runCommand(["./nothing-here"], home, "inspect");
    assert.match(folder.stderr, /no artifact at .*nothing-here/);
    const top = await runCommand(["x", "--top", "0"], home, "inspect");
    assert.equal(top.exitCode, 2);
    assert.match(top.stderr, /--top must be a whole number from 1 to 50, got 0/);
    const none = await runCommand([], home, "inspect");
    assert.equal(none.exitCode, 2);
  });
});
