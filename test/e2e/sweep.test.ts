import assert from "node:assert/strict";
import { after, before, describe } from "node:test";
import { isDeepStrictEqual } from "node:util";
import { RunningCommand } from "../fixtures/command.js";
import { KeptHome } from "../fixtures/kept-home.js";
import { tinyDataAndModel, tinyFlags } from "../fixtures/tiny.js";
import { it } from "../fixtures/waiting.js";

const FLAGS = [
  ...tinyFlags(tinyDataAndModel()),
  ...["--outer-steps", "12", "--validations", "1", "--baselines", "none"],
];
const home = new KeptHome();
before(() => home.open());
after(() => home.remove());

function sweep(args: readonly string[]) {
  return home.run([...FLAGS, ...args], "sweep");
}

describe("sweep", () => {
  const GRID = ["--sl", "none,unrestricted", "--steps", "1,2"];

  it("runs every combination, and continues with the missing ones when stopped", async () => {
    const run = home.start([...FLAGS, ...GRID], "sweep");
    await run.sees(/1 of 4: --sl none --steps 1 is done/);
    run.interruption.press();
    const { exitCode, stderr } = await run.ended;
    assert.equal(exitCode, 130, stderr);
    assert.match(stderr, /the same command continues where it stopped/);
    assert.match(stderr, /^--sl \S+ --steps \d was stopped$/m);
    assert.doesNotMatch(stderr, /4 of 4/);

    const again = await sweep([...GRID, "--json"]);
    assert.equal(again.exitCode, 0, again.stderr);
    const { axes, experiments, sweep_id: sweepId } = JSON.parse(again.stdout);
    assert.deepEqual(axes, ["sl", "steps"]);
    assert.deepEqual(
      experiments.map(({ settings }: { settings: object }) => Object.values(settings)),
      [
        ["none", "1"],
        ["none", "2"],
        ["unrestricted", "1"],
        ["unrestricted", "2"],
      ],
    );
    for (const { rows } of experiments) assert.equal(rows[0].accuracy.n, 3);
    const listed = await home.run(["ls", "--sweep", sweepId, "--json"], "stillhouse");
    assert.deepEqual(
      JSON.parse(listed.stdout).experiments.map(({ id }: { id: string }) => id),
      experiments.map(({ experiment_id: id }: { experiment_id: string }) => id).reverse(),
    );
    const all = await home.run(["ls", "--json"], "stillhouse");
    assert.equal(JSON.parse(all.stdout).experiments.length, 4, "both runs are of one sweep");
    assert.match(again.stderr, /1 of 4: --sl none --steps 1 is done/);
    const numDistilled = again.stderr.match(/^Distillation: kept/gm)?.length ?? 0;
    assert.ok(numDistilled < 4, again.stderr);
  });

  it("computes a removed experiment again, as another sweep", async () => {
    const first = JSON.parse((await sweep([...GRID, "--json"])).stdout);
    const removed = await home.run(["rm", first.experiments[1].experiment_id], "stillhouse");
    assert.equal(removed.exitCode, 0, removed.stderr);
    const again = await sweep([...GRID, "--json"]);
    assert.equal(again.exitCode, 0, again.stderr);
    const { sweep_id: sweepId, experiments } = JSON.parse(again.stdout);
    assert.notEqual(sweepId, first.sweep_id);
    assert.deepEqual(
      experiments.map(({ settings }: { settings: object }) => settings),
      first.experiments.map(({ settings }: { settings: object }) => settings),
    );
    assert.equal(again.stderr.match(/^Distillation: kept/gm)?.length, 1, again.stderr);
  });

  it("shows failed experiments beside finished ones, and exits with 1", async () => {
    const { exitCode, stdout, stderr } = await sweep(["--lr", "0.05,1e30", "--max-parallel", "1"]);
    assert.equal(exitCode, 1, stderr);
    assert.match(stderr, /2 of 2: --lr 1e30 has failed: the .* is (nan|inf)/);
    assert.match(stderr, /1 of 2 experiments failed/);
    assert.match(stdout, /│ 0\.05 +│ +\d+\.\d ± /);
    assert.match(stdout, /│ 1e30 +│ failed/);
  });

  it("searches by validation accuracy, continues when killed, and tests only the best", async () => {
    // FLAGS have another rate, but a setting that is searched starts from the preset's.
    const search = ["--search", "--lr", "0.0005..0.05:log", "--sl", "unrestricted,none"];
    const args = [...search, "--trials", "4", "--max-parallel", "2", "--inits", "2"];
    const run = new RunningCommand([...FLAGS, ...args], home.path, "sweep");
    const [lr, sl] = (await run.sees(/1 of 5: --sl (\S+ --lr \S+) is done/))
      .split(" --lr ")
      .reverse();
    run.signal("SIGKILL");
    await run.ended;

    const { exitCode, stdout, stderr } = await sweep([...args, "--json"]);
    assert.equal(exitCode, 0, stderr);
    const { trials, best } = JSON.parse(stdout);
    assert.equal(trials.length, 4);
    assert.deepEqual(trials[0].settings, { sl: "none", lr: "0.02" }, "the preset's own come first");
    assert.ok(
      trials.some(({ settings }: { settings: object }) => isDeepStrictEqual(settings, { sl, lr })),
      "the trial of the first run is one of the second's",
    );
    const accuracies = trials.map(
      (trial: { validation_accuracy: number }) => trial.validation_accuracy,
    );
    assert.equal(best.validation_accuracy, Math.max(...accuracies));
    assert.equal(best.trial, accuracies.indexOf(best.validation_accuracy));
    const numDistilled = stderr.match(/^Distillation: kept(?!.*reused)/gm)?.length ?? 0;
    assert.ok(numDistilled < 4, stderr);
    assert.equal(stderr.match(/^Evaluation: accuracy/gm)?.length, 1, "the test split, once");
    const { rows } = best.experiment;
    assert.equal(rows[0].accuracy.n, 2);
    assert.match(best.command, /^npm run experiment -- .*--sl \S+ .*--lr [\d.]+/);
    assert.doesNotMatch(best.command, /--search|--trials|,/);
  });

  it("names the wrong value of a list", async () => {
    const wrong = await sweep(["--sl", "none,hard"]);
    assert.equal(wrong.exitCode, 2);
    assert.match(wrong.stderr, /--sl .*must be one of none, restricted, unrestricted, got hard/);
    const twice = await sweep(["--steps", "1,1"]);
    assert.match(twice.stderr, /--steps must have distinct values, got 1 twice/);
  });
});
