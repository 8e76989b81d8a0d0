import assert from "node:assert/strict";
import { describe } from "node:test";
import { runStillhouse } from "../../src/cli/stillhouse/stillhouse.js";
import { createInterruption } from "../../src/cli/terminal/interruption.js";
import { terminalOf } from "../../src/cli/terminal/terminal.js";
import { quickSpec } from "../fixtures/experiments.js";
import { RecordedOutput } from "../fixtures/recorded-output.js";
import { temporaryFolder } from "../fixtures/temporary-folder.js";
import { it, until } from "../fixtures/waiting.js";
import { TestPlane } from "./test-plane.js";

describe("Ctrl-C in a command that only reads", () => {
  for (const [words, isFollowing] of [
    [["watch"], (stderr: string) => stderr.includes("Experiment ")],
    [["watch", "--json"], () => true],
    [["logs", "--follow"], () => true],
  ] as const) {
    it(`ends ${words.join(" ")} quietly, and the experiment continues`, async (test) => {
      const { plane, client } = await TestPlane.start(test);
      const { id } = await client.create(quickSpec(7), "");
      const [stdout, stderr] = [new RecordedOutput(), new RecordedOutput()];
      const interruption = createInterruption();
      const { address, clientKeys: keys } = plane;
      const exitCode = runStillhouse([...words, id], {
        terminal: terminalOf(stdout, stderr, {}),
        interruption,
        backUpHome: () => assert.fail("nothing is backed up"),
        openIdleHome: async () => ({ kind: "joined", address, keys }),
        userFolder: temporaryFolder(test),
        token: undefined,
        showsTraces: false,
      });
      await until(() => isFollowing(stderr.text));
      interruption.press();
      assert.equal(await exitCode, 130);
      assert.doesNotMatch(stderr.text, /error|goes on|cancel/i);
      assert.doesNotMatch(stdout.text, /"error"/);
    });
  }
});
