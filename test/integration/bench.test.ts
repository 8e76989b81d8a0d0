import assert from "node:assert/strict";
import { tmpdir } from "node:os";
import { OwnJobs, OwnPoints } from "../bench/control-plane/compare/stillhouse.js";
import { measureDelay } from "../bench/control-plane/dispatch.js";
import { measureIntake } from "../bench/control-plane/intake.js";
import { measureWatching } from "../bench/control-plane/watching.js";
import { runCommand } from "../fixtures/command.js";
import { tinyDataAndModel, tinyFlags } from "../fixtures/tiny.js";
import { it } from "../fixtures/waiting.js";

/** `npm run bench -- control-plane` shows how fast it is; here it only has to measure something. */
it("the control plane is measured with workers that speak the protocol", async () => {
  const intake = await measureIntake(4, 1_000);
  assert.ok(intake.numPoints >= 1_000 && intake.pointsPerSecond > 0 && intake.peakRssBytes > 0);
  const points = await OwnPoints.start(2);
  for (const batch of [10, 20]) assert.ok((await points.perSecond(batch, 0.1)) > 0);
  await points.close();
  const jobs = await OwnJobs.start(2);
  assert.ok((await jobs.perSecond(3)) > 0);
  await jobs.close();
  const delay = await measureDelay(4, 12, 12);
  assert.ok(delay.p50Ms > 0 && delay.p99Ms >= delay.p50Ms);
  const watching = await measureWatching(5, 1);
  assert.equal(watching.numEvents, 5 * 4, "each watcher sees each event once");
});

it("time to accuracy is measured per variant and seed, and only as far as it has to be", async () => {
  const flags = [...tinyFlags(tinyDataAndModel()), "--outer-steps", "6", "--baselines", "none"];
  const own = ["--variant", "slow=--lr 0.001 --x-init noise", "--variant", "quick=--x-init real"];
  const sizes = ["--seeds", "3", "--every", "2", "--full", "50", "--json"];
  const args = ["time-to-accuracy", "--common", flags.join(" "), ...own, ...sizes];
  const { exitCode, stdout, stderr } = await runCommand(args, tmpdir(), "bench");
  assert.equal(exitCode, 0, stderr);
  const { full, shares, variants } = JSON.parse(stdout);
  assert.equal(full, 0.5);
  assert.deepEqual(Object.keys(variants), ["slow", "quick"]);
  for (const [{ seconds, curve }] of Object.values<[{ seconds: number[]; curve: number[][] }]>(
    variants,
  )) {
    assert.equal(seconds.length, shares.length);
    const passed = curve.findIndex(([, , accuracy]) => (accuracy ?? 0) >= full * shares.at(-1));
    assert.ok(passed === -1 ? curve.length === 3 : passed === curve.length - 1);
    if (passed !== -1) assert.equal(seconds.at(-1), curve.at(-1)?.[1]);
  }
});
