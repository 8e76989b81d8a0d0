import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { after, describe } from "node:test";
import { runCommand } from "../fixtures/command.js";
import { KeptHome } from "../fixtures/kept-home.js";
import { PYTHON, tinyDataAndModel, tinyFlags } from "../fixtures/tiny.js";
import { it } from "../fixtures/waiting.js";

const tiny = tinyDataAndModel();
const START = ["--x-init", "class-means", "--inner-lr", "0", "--encoder-lr-scale", "0.03"];
const FLAGS = [...tinyFlags(tiny), ...START];
const home = new KeptHome();
after(() => home.remove());

interface Row {
  id: string;
  variant: string;
  label: string;
  train_samples: number;
  gd_steps: number;
  accuracy: { mean: number; std: number | null; n: number };
  stored_bytes: number | null;
}

describe("an experiment", () => {
  it("prints one JSON document, with the results of real processes", async () => {
    const flags = [...FLAGS, "--sl", "unrestricted", "--al", "cls", "--name", "first", "--json"];
    const { exitCode, stdout, stderr } = await runCommand(flags, home.path);
    assert.equal(exitCode, 0, stderr);
    const document = JSON.parse(stdout);
    const rows = new Map<string, Row>(document.rows.map((row: Row) => [row.id, row]));
    const linear = ["linear-probe", "linear-probe-few", "class-means"];
    assert.deepEqual([...rows.keys()], ["full", ...linear, "random", "untrained", "distilled"]);
    const [full, untrained, distilled] = ["full", "untrained", "distilled"].map((id) => {
      const row = rows.get(id);
      assert.ok(row, id);
      return row;
    });
    assert.ok(full && untrained && distilled);
    assert.deepEqual([full.train_samples, full.gd_steps], [96, 18]);
    assert.deepEqual([full.accuracy.n, full.accuracy.std], [1, null]);
    assert.deepEqual([untrained.train_samples, untrained.accuracy.n], [0, 2]);
    assert.deepEqual([distilled.train_samples, distilled.gd_steps], [2, 1]);
    assert.deepEqual([distilled.variant, distilled.accuracy.n], ["unrestricted + cls", 3]);
    assert.ok(distilled.accuracy.mean >= 0.9, `distilled ${distilled.accuracy.mean}`);
    assert.ok(untrained.accuracy.mean <= 0.7, `untrained ${untrained.accuracy.mean}`);
    const [probe, means] = [rows.get("linear-probe"), rows.get("class-means")];
    // Two classes by the tiny encoder's 32 features, with and without biases.
    assert.deepEqual([probe?.stored_bytes, means?.stored_bytes], [4 * 2 * 33, 4 * 2 * 32]);
    const { size } = statSync(join(document.artifact, "distilled.safetensors"));
    assert.equal(distilled.stored_bytes, size);
    assert.equal(document.ratio_to_full, distilled.accuracy.mean / full.accuracy.mean);
    for (const { cpu_time_s, wall_time_s } of document.tasks) {
      assert.ok(cpu_time_s > 0 && wall_time_s > 0, `${cpu_time_s} of ${wall_time_s} s`);
    }
    assert.equal(document.spec.name, "first");
    assert.equal(document.spec.distilled.attention_labels, "ATTENTION_LABELS_CLS");
    assert.equal(document.spec.outer.steps, 60);
    assert.deepEqual(readdirSync(document.artifact).sort(), [
      "distilled.safetensors",
      "manifest.json",
    ]);
    const run = join(home.path, "runs", document.experiment_id);
    const tasks = ["distill", "evaluate", "full", ...linear, "random", "untrained"];
    assert.deepEqual(readdirSync(run).sort(), [...tasks, "log.jsonl"].sort());
    assert.match(readdirSync(join(run, "distill")).join(), /^events\.out\.tfevents\./);
    assert.equal(stderr.match(/Dashboard http:\/\/127\.0\.0\.1:\d+/g)?.length, 1, stderr);
    assert.match(stderr, /Data set +colours: train 96, validation 16, test 24 rows, 2 classes/);
    assert.match(stderr, /Preset +cpu, but .*sl unrestricted, al cls/);
    assert.ok(!stderr.includes("\u001b"), "colour in a pipe");
  });

  it("reuses the baselines of an earlier one, and prints a table with how to use the result", async () => {
    await home.open();
    const { exitCode, stdout, stderr } = await home.run(FLAGS);
    assert.equal(exitCode, 0, stderr);
    assert.match(stderr, /Full data: accuracy [\d.]+ %, reused from an earlier experiment/);
    assert.match(stdout, /^Data set colours · model /m);
    assert.match(stdout, /│ Full data +│ +96 │ +18 │ +[\d.]+ │ 1 │/);
    assert.match(stdout, /│ Linear probe, all rows +│ +96 │ +0 │ +[\d.]+ │ 1 │.* B │/);
    assert.match(stdout, /│ Class means, all rows +│ +96 │ +0 │ +[\d.]+ │ 1 │.* B │/);
    assert.match(stdout, /│ Distilled data +│ +2 │ +1 │ +[\d.]+ ± [\d.]+ │ 3 │/);
    assert.match(stdout, /Ratio to full data: [\d.]+ %/);
    assert.match(stdout, /reused\)/);
    assert.ok(!stdout.includes("\u001b"), "colour in a pipe");
    const usage = stdout.split("\n").filter((line) => /^ {2}(from|learner)/.test(line));
    assert.equal(usage.length, 3);
    const script = usage.map((line) => line.trim()).join("\n");
    const answer = execFileSync(
      PYTHON,
      ["-c", `${script.replace("learner.predict", "print(learner.predict")})`],
      {
        encoding: "utf8",
        env: { ...process.env, OMP_NUM_THREADS: "1" },
      },
    );
    assert.match(answer, /warm|cold/);
  });

  it("distils several times as one group, and continues with the missing ones when stopped", async () => {
    const few = ["--outer-steps", "12", "--validations", "1", "--baselines", "none"];
    const flags = [...FLAGS, ...few, "--distillations", "2", "--seed", "5"];
    const planned = await home.run([...flags, "--dry-run"]);
    assert.match(planned.stdout, /Tasks\n.*\n.*\nThe same tasks for each of: seed 5, seed 6\n$/);

    const run = home.start(flags);
    await run.sees(/1 of 2: seed 5 is done/);
    run.interruption.press();
    const stopped = await run.ended;
    assert.equal(stopped.exitCode, 130, stopped.stderr);
    assert.match(stopped.stderr, /the same command continues where it stopped/);

    const { exitCode, stdout, stderr } = await home.run([...flags, "--json"]);
    assert.equal(exitCode, 0, stderr);
    const { experiment_id: id, distillations, over_seeds, sweep_id } = JSON.parse(stdout);
    assert.deepEqual(
      distillations.map(({ spec }: { spec: { seed: number } }) => spec.seed),
      [5, 6],
    );
    assert.equal(distillations[0].experiment_id, id);
    assert.equal(over_seeds[0].distillations.n, 2);
    assert.equal(over_seeds[0].distillations.interval_95, null);
    const listed = await home.run(["ls", "--sweep", sweep_id, "--json"], "stillhouse");
    assert.equal(JSON.parse(listed.stdout).experiments.length, 2);

    const one = await home.run([...FLAGS, ...few, "--seed", "5", "--json"]);
    const alone = JSON.parse(one.stdout);
    assert.deepEqual(alone.rows[0].accuracy, distillations[0].rows[0].accuracy);
    assert.deepEqual(Object.keys(alone), Object.keys(distillations[0]).slice(1));
  });

  it("in a dry run shows the resolved spec and the tasks, and stores nothing", async () => {
    const artifacts = readdirSync(join(home.path, "artifacts"));
    const dryRun = [...FLAGS, "--dry-run"];
    const [plain, json] = await Promise.all([
      home.run([...dryRun, "--baselines", "full"]),
      home.run([...dryRun, "--json"]),
    ]);
    assert.equal(plain.exitCode, 0, plain.stderr);
    assert.equal(json.exitCode, 0, json.stderr);
    assert.match(plain.stdout, /Steps +60 outer steps of 16 texts/);
    assert.match(
      plain.stdout,
      /1\. Distillation\n +2\. Evaluation \(3 inits\)\n +3\. Full data \(1 init\)\n$/,
    );
    assert.deepEqual(readdirSync(join(home.path, "artifacts")), artifacts);
    const document = JSON.parse(json.stdout);
    assert.equal(document.spec.outer.steps, 60);
    assert.equal(document.tasks.length, 8);
    assert.equal(document.description.train_rows, 96);
  });

  it("that names an unreachable server ends with exit code 3", async () => {
    const { exitCode, stdout } = await home.run(["--server", "127.0.0.1:1", "--json"]);
    assert.equal(exitCode, 3);
    assert.equal(JSON.parse(stdout).error.kind, "unavailable");
  });

  it("with wrong usage ends with exit code 2, one sentence, and a document with --json", async () => {
    const [plain, json] = await Promise.all([
      runCommand(["--iner-lr", "1"], home.path),
      home.run(["--inner-lr-decay", "0", "--json"]),
    ]);
    assert.equal(plain.exitCode, 2);
    assert.equal(plain.stdout, "");
    assert.equal(plain.stderr, "Error unknown option '--iner-lr'; did you mean --inner-lr?\n");
    assert.equal(json.exitCode, 2);
    assert.deepEqual(JSON.parse(json.stdout), {
      error: {
        kind: "invalid",
        message: "--inner-lr-decay (inner.lr_decay) must be > 0 and ≤ 1e+30, got 0",
        field: "inner.lr_decay",
      },
    });
  });
});

describe("doctor", () => {
  it("asks the real Python, and finds nothing that would prevent an experiment", async () => {
    const { exitCode, stdout, stderr } = await home.run(["--json"], "doctor");
    assert.equal(exitCode, 0, stderr);
    const { ok, checks } = JSON.parse(stdout);
    assert.equal(ok, true);
    const names = checks.map((check: { name: string }) => check.name);
    for (const name of ["Node", "Home", "Control plane", "Python", "PyTorch", "Devices"]) {
      assert.ok(names.includes(name), name);
    }
    const unwell = checks.filter((check: { status: string }) => check.status !== "ok");
    for (const { name, remedy } of unwell) assert.notEqual(remedy, "", name);
  });
});
