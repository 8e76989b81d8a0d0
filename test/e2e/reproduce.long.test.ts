import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { RunningCommand, runCommand } from "../fixtures/command.js";
import { KeptHome } from "../fixtures/kept-home.js";
import { tinyDataAndModel, tinyFlags } from "../fixtures/tiny.js";
import { it } from "../fixtures/waiting.js";

const LONGEST_LIFE_MS = 9_000;
const NUM_KILLS = 10;
const ARGS = [
  ...["soft-labels", "init", "--json"],
  ...tinyFlags(tinyDataAndModel()),
  ...["--outer-steps", "12", "--validations", "1", "--lr", "0.01", "--inits", "4"],
  ...["--x-init", "noise"],
];

const home = new KeptHome();
before(() => home.open());
after(() => home.remove());

it(`reproduce, killed at ${NUM_KILLS} moments, writes the same report as an uninterrupted run`, async () => {
  const { exitCode, stdout, stderr } = await home.run(ARGS, "reproduce");
  assert.equal(exitCode, 0, stderr);
  await assertSameWhenKilled(ARGS, stdout, NUM_KILLS);
});

/** The figures of a run to the last digit, without times. */
function figures(stdout: string): unknown {
  return JSON.parse(stdout).tables.map(({ rows }: { rows: object[] }) =>
    rows.map((row) => ({ ...row, experiment_id: "", seeds: [], train_time_s: null })),
  );
}

/** A report of a run, without its times. */
function reportOf(stdout: string, file: "report" | "page"): string {
  const text = readFileSync(JSON.parse(stdout)[file], "utf8");
  return text.replaceAll(/[\d.]+ (?:h|min|s)(?: \d+ (?:min|s))?\b/g, "TIME");
}

/**
 * Runs `reproduce` in a new home, kills it at random moments, and then lets it run to its end.
 *
 * @param args its arguments, including `--json`
 * @param uninterrupted what the same command printed without an interruption
 */
async function assertSameWhenKilled(
  args: readonly string[],
  uninterrupted: string,
  numKills: number,
): Promise<void> {
  const home = mkdtempSync(join(tmpdir(), "stillhouse-home-"));
  try {
    for (let count = 0; count < numKills; count++) {
      const run = new RunningCommand(args, home, "reproduce");
      await Promise.race([run.ended, sleep(Math.random() * LONGEST_LIFE_MS)]);
      run.signal("SIGKILL");
      await run.ended;
    }
    const last = await runCommand(args, home, "reproduce");
    assert.equal(last.exitCode, 0, last.stderr);
    for (const file of ["report", "page"] as const) {
      const report = reportOf(last.stdout, file);
      assert.match(report, /Computing it took TIME\./);
      assert.equal(report, reportOf(uninterrupted, file));
    }
    assert.deepEqual(figures(last.stdout), figures(uninterrupted));
  } finally {
    rmSync(home, { recursive: true, force: true, maxRetries: 5 });
  }
}
