import assert from "node:assert/strict";
import { OwnJobs, OwnPoints } from "../bench/control-plane/compare/stillhouse.js";
import { measureDelay } from "../bench/control-plane/dispatch.js";
import { measureIntake } from "../bench/control-plane/intake.js";
import { measureMillion } from "../bench/control-plane/million.js";
import { measureWatching } from "../bench/control-plane/watching.js";
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
  const stored = await measureMillion(120, 5);
  assert.equal(stored.numUnfinished, 24);
  assert.ok(Object.values(stored.listP99Ms).every((ms) => ms > 0) && stored.startS > 0);
  const watching = await measureWatching(5, 1);
  assert.equal(watching.numEvents, 5 * 4, "each watcher sees each event once");
});
