import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, it } from "node:test";
import { parse } from "yaml";

interface Service {
  readonly volumes?: readonly string[];
  readonly command?: readonly string[];
}

const TEXT = readFileSync(new URL("../../docker/compose.yaml", import.meta.url), "utf8");
const SERVICES = parse(TEXT, { merge: true }).services as Record<string, Service>;
const volumesOf = (name: string) =>
  (SERVICES[name]?.volumes ?? []).map((volume) => volume.split(":")[0]);

describe("the containers of the compose file", () => {
  it("that compute get keys of their own and none of the server or the authority", () => {
    const workers = Object.keys(SERVICES).filter((name) => name.startsWith("worker"));
    assert.deepEqual(workers, ["worker", "worker-cuda"]);
    for (const name of workers) {
      assert.deepEqual(volumesOf(name), ["worker", "worker-keys"]);
      assert.ok(SERVICES[name]?.command?.includes("--keys=/keys"), name);
    }
  });

  it("that see all keys are the one that makes them and the control plane", () => {
    const seeing = Object.keys(SERVICES).filter((name) => volumesOf(name).includes("keys"));
    assert.deepEqual(seeing, ["keys", "control-plane"]);
  });
});
