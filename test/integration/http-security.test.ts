import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { Agent, get } from "node:https";
import { networkInterfaces } from "node:os";
import { join } from "node:path";
import { describe } from "node:test";
import { ExperimentSpec } from "../../src/generated/stillhouse/v1/spec.js";
import { makeKeys } from "../../src/security/keys/make-keys.js";
import { TokenFile } from "../../src/security/token-file.js";
import { homePaths } from "../../src/store/home.js";
import { quickSpec } from "../fixtures/experiments.js";
import { ask } from "../fixtures/http-client.js";
import { temporaryFolder } from "../fixtures/temporary-folder.js";
import { it } from "../fixtures/waiting.js";
import { TestPlane } from "./test-plane.js";

const HTTP = { http: { port: 0 } };
const EXPERIMENTS = "/api/v1/experiments";

const HAS_IPV6 = Object.values(networkInterfaces()).some((addresses) =>
  addresses?.some(({ address }) => address === "::1"),
);

describe("a control plane for this machine alone", () => {
  for (const host of ["127.0.0.5", "::1"]) {
    it(`answers clients, browsers and workers at its own address, ${host}`, {
      skip: host === "::1" && !HAS_IPV6 && "this machine has no IPv6",
    }, async (test) => {
      const plane = await TestPlane.start(test, { ...HTTP, host });
      const { address, workerAddress, httpAddress } = plane.plane;
      const named = host.includes(":") ? `[${host}]` : host;
      for (const reached of [address, workerAddress, httpAddress]) {
        assert.ok(reached.replace(/^\w+:\/\//, "").startsWith(`${named}:`), reached);
      }
      await plane.client.list(1, "");
      await plane.worker();
      assert.equal((await ask(httpAddress, "GET", "/readyz")).status, 200);
      assert.equal((await ask(httpAddress, "GET", EXPERIMENTS)).status, 200);
    });
  }

  it("answers under no host name that somebody made resolve to its address", async (test) => {
    const { httpAddress } = (await TestPlane.start(test, HTTP)).plane;
    const statusAs = async (host: string) =>
      (await ask(httpAddress, "GET", EXPERIMENTS, { headers: { host } })).status;
    for (const host of ["localhost:1", "LOCALHOST", "127.0.0.1", "127.8.9.1:80", "[::1]:80"]) {
      assert.equal(await statusAs(host), 200, host);
    }
    for (const host of [
      "example.org",
      "127.0.0.1.example.org",
      "localhost.example.org:80",
      "10.0.0.1",
    ]) {
      assert.equal(await statusAs(host), 403, host);
    }
  });
});

describe("the HTTP interface with tokens", () => {
  it("lets each role do what it may over gRPC, and audits changes with who made them", async (test) => {
    const home = temporaryFolder(test);
    const plane = await TestPlane.start(test, { ...HTTP, home });
    const { id } = await plane.client.create(quickSpec(), "");
    const tokens = new TokenFile(homePaths(home).tokens);
    const bearer = (name: "read" | "submit") =>
      ({ authorization: `Bearer ${tokens.add(name, name, new Date())}` }) as const;
    const [read, submit] = [bearer("read"), bearer("submit")];
    const call = async (method: string, path: string, headers = {}) => {
      const { status, body } = await ask(plane.plane.httpAddress, method, path, { headers });
      return [status, body?.error?.kind?.replace("FAILURE_KIND_", "")];
    };

    assert.deepEqual(await call("GET", EXPERIMENTS), [401, "UNAUTHENTICATED"]);
    assert.deepEqual(await call("GET", "/metrics"), [401, "UNAUTHENTICATED"]);
    assert.deepEqual(await call("GET", `${EXPERIMENTS}/${id}/events`), [401, "UNAUTHENTICATED"]);
    assert.deepEqual(await call("GET", "/healthz"), [200, undefined]);
    assert.deepEqual(await call("GET", "/api/v1/openapi.json"), [200, undefined]);
    // The page loads without a token, since it is where a person enters one.
    assert.deepEqual(await call("GET", "/"), await call("GET", "/", read));
    assert.deepEqual(await call("GET", EXPERIMENTS, read), [200, undefined]);
    const cancel = `${EXPERIMENTS}/${id}:cancel`;
    assert.deepEqual(await call("POST", cancel, read), [403, "PERMISSION_DENIED"]);
    assert.deepEqual(await call("POST", cancel, submit), [200, undefined]);
    assert.deepEqual(await call("DELETE", `${EXPERIMENTS}/${id}`, submit), [
      403,
      "PERMISSION_DENIED",
    ]);
    const who = await ask(plane.plane.httpAddress, "GET", "/api/v1/whoami", { headers: read });
    assert.deepEqual(who.body, { name: "read", role: "read", authentication: "token" });

    const lines = readFileSync(homePaths(home).audit, "utf8").trim().split("\n");
    const cancels = lines
      .map((line) => JSON.parse(line))
      .filter(({ what }) => what === "CancelExperiment");
    assert.deepEqual(
      cancels.map(({ who: name, target, result }) => [name, target, result]),
      [
        ["read", id, "PERMISSION_DENIED"],
        ["submit", id, "ok"],
      ],
    );
  });

  it("lets nobody create experiments for others, or name a forbidden folder", async (test) => {
    const home = temporaryFolder(test);
    const plane = await TestPlane.start(test, { ...HTTP, home });
    const tokens = new TokenFile(homePaths(home).tokens);
    const token = tokens.add("anna", "submit", new Date());
    const post = async (path: string, body: object) => {
      const headers = { authorization: `Bearer ${token}` };
      const answer = await ask(plane.plane.httpAddress, "POST", path, { headers, body });
      return [answer.status, answer.body?.error?.field];
    };
    const spec = ExperimentSpec.toJSON(quickSpec()) as { dataset: object };
    const free = { ...spec, dataset: { ...spec.dataset, source: "SOURCE_HUB", data_dir: "" } };
    assert.deepEqual(await post(EXPERIMENTS, { spec: free, owner: "bob" }), [403, "owner"]);
    assert.deepEqual(await post("/api/v1/sweeps", { specs: [free], owner: "bob" }), [403, "owner"]);
    assert.deepEqual(await post(EXPERIMENTS, { spec }), [403, "dataset.data_dir"]);
    const draft = { model: { name: home } };
    assert.deepEqual(await post(`${EXPERIMENTS}:resolve`, { draft }), [403, "model.name"]);
    const made = await post(EXPERIMENTS, { spec: free, owner: "anna" });
    assert.deepEqual(made, [200, undefined]);
  });

  it("speaks TLS where there are keys", async (test) => {
    const home = temporaryFolder(test);
    const keys = join(home, "keys");
    const tokens = new TokenFile(homePaths(home).tokens);
    await makeKeys({ folder: keys, hosts: [], workers: [], tokens, now: new Date() });
    const plane = await TestPlane.start(test, { ...HTTP, home, security: { keys } });
    const { httpAddress } = plane.plane;
    assert.match(httpAddress, /^https:/);
    const agent = new Agent({ ca: readFileSync(join(keys, "ca", "ca.crt")) });
    const status = await new Promise((resolve, reject) => {
      get(`${httpAddress}/healthz`, { agent }, (response) => {
        response.resume().on("end", () => resolve(response.statusCode));
      }).on("error", reject);
    });
    agent.destroy();
    assert.equal(status, 200);
    await assert.rejects(fetch(`${httpAddress}/healthz`), "an unknown authority was trusted");
  });
});
