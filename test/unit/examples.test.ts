import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { parseAllDocuments } from "yaml";
import { parseKeysArguments } from "../../src/cli/service/keys-arguments.js";
import { parseServeArguments } from "../../src/cli/service/serve-arguments.js";
import { PROJECT } from "../fixtures/tiny.js";

const PLACES = { home: "/home", userFolder: "/user", dataDir: undefined, columns: undefined };

function example(name: string): string {
  return readFileSync(join(PROJECT, "examples", name), "utf8");
}

function served(argv: readonly string[]) {
  const request = parseServeArguments(argv, PLACES);
  assert.ok(request.kind === "serve");
  return request;
}

describe("the examples", () => {
  it("start a control plane in Kubernetes with flags that it understands", () => {
    const documents = parseAllDocuments(example("kubernetes.yaml")).map((each) => each.toJS());
    const byKind = new Map(documents.map((each) => [each.kind, each]));
    const { containers, initContainers } = byKind.get("StatefulSet").spec.template.spec;
    const [command, ...argv] = containers[0].args;
    assert.equal(command, "serve");
    const { engines, advertise, ...ports } = served(argv);
    assert.deepEqual([engines[0]?.engine, engines[0]?.gpus], ["kubernetes", 1]);
    // Workers come by the name of the service, for which the keys are.
    const service = byKind.get("Service");
    assert.equal(advertise, `${service.metadata.name}.${service.metadata.namespace}.svc`);
    const [, ...keysArguments] = initContainers[0].args;
    const keys = parseKeysArguments(keysArguments, PLACES);
    assert.ok(keys.kind === "make" && keys.hosts.includes(advertise));
    const { httpPort, grpcPort, workerPort } = ports;
    const open = service.spec.ports.map(({ port }: { port: number }) => port);
    assert.deepEqual(open, [httpPort, grpcPort, workerPort]);
  });

  it("have a file with several engines", () => {
    const argv = ["--launchers", join(PROJECT, "examples", "launchers.yaml")];
    const names = served(argv).engines.map(({ name, engine }) => [name, engine]);
    assert.deepEqual(names, [
      ["own", "slurm"],
      ["lab", "ray"],
      ["spot", "kubernetes"],
    ]);
  });

  it("have a cluster of Ray that grows from nothing, whose head the file of engines names", () => {
    const { metadata, spec } = parseAllDocuments(example("kuberay.yaml"))[0]?.toJS() ?? {};
    const argv = ["--launchers", join(PROJECT, "examples", "launchers.yaml")];
    const { options, gpus } = served(argv).engines.find(({ engine }) => engine === "ray") ?? {};
    const head = `${metadata.name}-head-svc.${metadata.namespace}`;
    assert.equal(options?.address, `ray://${head}:10001`);
    assert.ok(example("kuberay.yaml").includes(`--launcher ${options?.address} --host`));
    assert.equal(spec.enableInTreeAutoscaling, true);
    const [group] = spec.workerGroupSpecs;
    assert.deepEqual([group.replicas, group.minReplicas], [0, 0]);
    const { requests } = group.template.spec.containers[0].resources;
    assert.deepEqual([requests["nvidia.com/gpu"], requests.cpu], [String(gpus), options?.cpus]);
  });

  it("start one in Slurm with flags that it understands", () => {
    const [, command = ""] = /^exec (node [\s\S]*)$/m.exec(example("stillhouse.sbatch")) ?? [];
    const words = command.replace(/\\\n/g, " ").replaceAll('"$(hostname)"', "node-1").trim();
    const [, , name, ...argv] = words.split(/\s+/);
    assert.equal(name, "serve");
    assert.deepEqual(served(argv).engines[0]?.options, {
      cpus: "4",
      memory: "16384",
      time: "04:00:00",
    });
  });
});
