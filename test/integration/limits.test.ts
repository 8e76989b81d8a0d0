import assert from "node:assert/strict";
import { describe } from "node:test";
import { ExperimentSpec } from "../../src/generated/stillhouse/v1/spec.js";
import { quickSpec } from "../fixtures/experiments.js";
import { ask } from "../fixtures/http-client.js";
import { it } from "../fixtures/waiting.js";
import { TestPlane } from "./test-plane.js";

const LONG = "x".repeat(900_000);

describe("limits of what comes in", () => {
  it("refuse the same long name by gRPC and by HTTP, each naming the field", async (test) => {
    const plane = await TestPlane.start(test, { http: { port: 0 } });
    const spec = quickSpec();
    Object.assign(spec.dataset ?? {}, { name: LONG });
    const refusal = { kind: "FAILURE_KIND_INVALID", field: "dataset.name" };
    const message = /^dataset\.name must have at most 4096 characters, got /;
    await assert.rejects(plane.client.create(spec, ""), { ...refusal, message });
    await assert.rejects(plane.client.resolve(spec), { ...refusal, message });
    const body = { spec: ExperimentSpec.toJSON(spec) };
    const answer = await ask(plane.plane.httpAddress, "POST", "/api/v1/experiments", { body });
    assert.equal(answer.status, 400);
    assert.equal(answer.body.error.field, "dataset.name");
    assert.match(answer.body.error.message, message);
    assert.deepEqual((await plane.client.list(0, "")).experiments, []);
  });
});
