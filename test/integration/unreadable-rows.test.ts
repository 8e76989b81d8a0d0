import assert from "node:assert/strict";
import { FailureKind, StillhouseError } from "../../src/errors.js";
import { State } from "../../src/generated/stillhouse/v1/experiment.js";
import { SqlFile } from "../../src/store/database.js";
import { homePaths } from "../../src/store/home.js";
import { quickSpec } from "../fixtures/experiments.js";
import { temporaryFolder } from "../fixtures/temporary-folder.js";
import { it } from "../fixtures/waiting.js";
import { TestPlane } from "./test-plane.js";

it("a control plane starts with an experiment that cannot be read, and removes it when told", async (test) => {
  const home = temporaryFolder(test);
  const first = await TestPlane.start(test, { home });
  const { id: bad } = await first.client.create(quickSpec(1), "");
  const { id: good } = await first.client.create(quickSpec(2), "");
  await first.stop();
  const file = new SqlFile(homePaths(home).database);
  file.run("UPDATE experiments SET message = x'ff' WHERE id = ?", bad);
  file.close();

  const { client, warnings } = await TestPlane.start(test, { home });
  const { experiments } = await client.list(10, "");
  assert.ok(warnings.some((line) => line.includes(`the row ${bad} of the table experiments`)));
  const states = new Map(experiments.map(({ id, state }) => [id, state]));
  assert.deepEqual([...states.keys()].sort(), [good, bad].sort());
  assert.equal(states.get(bad), State.FAILED);
  const isNamed = (error: unknown) =>
    error instanceof StillhouseError &&
    error.kind === FailureKind.ENVIRONMENT &&
    error.message.includes(`the row ${bad} of the table experiments`);
  await assert.rejects(client.get(bad), isNamed);
  await assert.rejects(client.resume(bad), isNamed);
  await assert.rejects(client.cancel(bad), isNamed);
  assert.equal((await client.cancel(good)).state, State.CANCELLED);
  await client.delete(bad);
  await assert.rejects(client.delete(bad), /there is no experiment/);
  assert.equal((await client.list(10, "")).experiments.length, 1);
});
