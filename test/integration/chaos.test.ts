import assert from "node:assert/strict";
import { runChaos } from "../chaos/chaos.js";
import { it } from "../fixtures/waiting.js";

/** `npm run chaos` runs longer. */
const SHORT = { faults: 3, seed: 4, numWorkers: 1, outerSteps: 30 };

it("experiments amid faults end with the same results as without faults", async (test) => {
  const say = (text: string) => test.diagnostic(text);
  const result = await runChaos({ ...SHORT, say });
  assert.equal(result.error, undefined);
  assert.equal(result.faults, SHORT.faults);
  assert.ok(result.experiments > 0);
  assert.equal(result.equal_to_calm, result.experiments);
  assert.deepEqual([result.lost, result.duplicated], [0, 0]);
});
