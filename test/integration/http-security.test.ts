import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { Agent, get } from "node:https";
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

describe("the HTTP interface with tokens", () => {
  it("lets each role do what it may over gRPC, and notes changes with who made them", async (test) => {
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
    // The page has to be there to be given a token.
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

  it("lets nobody make something for another, or name a folder that is not allowed", async (test) => {
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
    await assert.rejects(fetch(`${httpAddress}/healthz`), "an unknown authority was believed");
  });
});
