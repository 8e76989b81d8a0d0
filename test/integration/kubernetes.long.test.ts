import assert from "node:assert/strict";
import { chmodSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { State } from "../../src/generated/stillhouse/v1/experiment.js";
import { tinySpec } from "../chaos/tiny-spec.js";
import { commandLines } from "../fixtures/command.js";
import { KubernetesCluster, kubernetesPool, missingKubernetes } from "../fixtures/kubernetes.js";
import { temporaryFolder } from "../fixtures/temporary-folder.js";
import { PYTHON } from "../fixtures/tiny.js";
import { it, until } from "../fixtures/waiting.js";
import { hashOfDistilled, hashWithoutControlPlane } from "./distilled-bytes.js";
import { TestPlane } from "./test-plane.js";

const OUTER_STEPS = 120;

it("a task of an evicted pod goes on in another one, from its checkpoint, to the same bytes", {
  skip: missingKubernetes() ?? false,
}, async (test) => {
  const image = join(temporaryFolder(test), "image");
  writeFileSync(image, `#!/bin/sh\nexec "${PYTHON}" -P -m stillhouse_worker worker "$@"\n`);
  chmodSync(image, 0o755);
  const cluster = await KubernetesCluster.start(test, image);
  const engines = [kubernetesPool(1)];
  const plane = await TestPlane.start(test, { env: cluster.env, pythonPath: PYTHON, engines });
  const spec = await tinySpec(plane.client, OUTER_STEPS);
  const { id } = await plane.client.create(spec, "");
  const isDistilling = ({ taskId }: { taskId: string }) => taskId.endsWith("distill");
  const old = await until(async () => (await plane.client.workers()).find(isDistilling));
  await plane.seen(id, ({ kind }) => kind?.$case === "progress" && kind.value.done > 5n);
  await cluster.evict(old.id);
  const next = await until(async () =>
    (await plane.client.workers()).find((each) => isDistilling(each) && each.id !== old.id),
  );
  await plane.seen(id, ({ kind }) => {
    const said = kind?.$case === "log" ? kind.value.message : "";
    const [, step] = /resumed at .*step (\d+)/.exec(said) ?? [];
    return step !== undefined && Number(step) > 1;
  });
  const experiment = await plane.ended(id);
  assert.equal(experiment.state, State.SUCCEEDED, experiment.failure?.message);
  const distill = experiment.tasks.find((task) => task.id.endsWith("distill"));
  assert.equal(distill?.workerId, next.id);

  assert.equal(hashOfDistilled(plane.home, id), hashWithoutControlPlane(test, spec));
  await until(async () => (await plane.client.workers()).length === 0);
  const left = commandLines().filter(({ line }) => line.includes(plane.plane.workerAddress));
  assert.deepEqual(left, []);
});
