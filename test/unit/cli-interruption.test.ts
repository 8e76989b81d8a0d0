import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { aborted, createInterruption } from "../../src/cli/terminal/interruption.js";

describe("an interruption", () => {
  it("stops at the first signal and kills at a later one", () => {
    let nowMs = 0;
    const interruption = createInterruption(() => nowMs);
    assert.ok(!interruption.stop.aborted);
    interruption.press();
    assert.ok(interruption.stop.aborted && !interruption.kill.aborted);
    nowMs = 2_000;
    interruption.press();
    assert.ok(interruption.kill.aborted);
  });

  it("counts signals within half a second as one key press", () => {
    let nowMs = 0;
    const interruption = createInterruption(() => nowMs);
    for (nowMs = 0; nowMs <= 500; nowMs += 50) interruption.press();
    assert.ok(!interruption.kill.aborted);
  });

  it("resolves waits that began before it and after it", async () => {
    const interruption = createInterruption(() => 0);
    const before = aborted(interruption.stop);
    interruption.press();
    await before;
    await aborted(interruption.stop);
  });
});
