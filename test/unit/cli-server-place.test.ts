import assert from "node:assert/strict";
import { it } from "node:test";
import type { Connection } from "../../src/cli/connect/connection.js";
import type { NamedServer } from "../../src/cli/connect/server-flags.js";
import { resolveGroup } from "../../src/cli/group/group-run.js";
import { PlainProgress } from "../../src/cli/progress/plain-progress.js";
import { ResolveExperimentResponse } from "../../src/generated/stillhouse/v1/service.js";
import type { ExperimentSpec } from "../../src/generated/stillhouse/v1/spec.js";
import { resolvedSpec } from "../fixtures/experiments.js";
import { RecordedOutput } from "../fixtures/recorded-output.js";

const SERVER = { endpoint: { address: "gpu.example:4410" } } as NamedServer;
const CONNECTION = {
  call: () => Promise.resolve(ResolveExperimentResponse.fromPartial({})),
} as unknown as Connection;

function draftOf(dataset: Partial<NonNullable<ExperimentSpec["dataset"]>>): ExperimentSpec {
  const spec = resolvedSpec();
  return { ...spec, dataset: { ...spec.dataset, dataDir: "", ...dataset } } as ExperimentSpec;
}

/** What is printed while members with these drafts are resolved. */
async function saidOf(drafts: ExperimentSpec[], server: NamedServer | undefined) {
  const out = new RecordedOutput();
  const members = drafts.map((draft) => ({ label: "a member", draft }));
  const progress = new PlainProgress(out);
  await resolveGroup(members, { connection: CONNECTION, progress, server });
  return out.lines.slice(1);
}

it("a group says once for each path of a data set that the server looks for it", async () => {
  const drafts = [draftOf({ name: "/data/reviews" }), draftOf({ name: "/data/reviews" })];
  assert.deepEqual(await saidOf(drafts, SERVER), [
    "/data/reviews is looked for on the machine of gpu.example:4410",
  ]);
  assert.deepEqual(await saidOf(drafts, undefined), []);
  assert.deepEqual(await saidOf([draftOf({ name: "agnews" })], SERVER), []);
});
