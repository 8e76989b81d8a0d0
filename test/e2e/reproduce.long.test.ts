import assert from "node:assert/strict";
import { after, before } from "node:test";
import { KeptHome } from "../fixtures/kept-home.js";
import { tinyDataAndModel, tinyFlags } from "../fixtures/tiny.js";
import { it } from "../fixtures/waiting.js";
import { assertSameWhenKilled } from "./reproduce-killed.js";

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
