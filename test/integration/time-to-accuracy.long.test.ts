import assert from "node:assert/strict";
import { tmpdir } from "node:os";
import { runCommand } from "../fixtures/command.js";
import { tinyDataAndModel, tinyFlags } from "../fixtures/tiny.js";
import { it } from "../fixtures/waiting.js";

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
