import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { describe } from "node:test";
import { fileURLToPath } from "node:url";
import { credentials, loadPackageDefinition } from "@grpc/grpc-js";
import { loadSync } from "@grpc/proto-loader";
import { protoPath } from "grpc-health-check";
import { statusOf } from "../../src/api/grpc/failure-metadata.js";
import { FailureKind, StillhouseError } from "../../src/errors.js";
import { Status } from "../../src/generated/google/rpc/status.js";
import { ExperimentSpec } from "../../src/generated/stillhouse/v1/spec.js";
import { resolvedSpec } from "../fixtures/experiments.js";
import { afterwards } from "../fixtures/temporary-folder.js";
import { it } from "../fixtures/waiting.js";
import { TestPlane } from "./test-plane.js";

const PYTHON = fileURLToPath(new URL("../../.venv/bin/python", import.meta.url));
const STRANGER = fileURLToPath(new URL("../fixtures/stranger.py", import.meta.url));
const SERVICES = ["Artifact", "Experiment", "Metric", "Sweep", "Worker"];

function runStranger(address: string, spec: ExperimentSpec): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const child = execFile(PYTHON, ["-I", STRANGER, address], (error, stdout) => {
      if (error) reject(error);
      else resolve(JSON.parse(stdout));
    });
    child.stdin?.end(JSON.stringify(ExperimentSpec.toJSON(spec)));
  });
}

describe("a stranger", () => {
  it("with only Python's gRPC finds the services by reflection, and uses them", async (test) => {
    const plane = await TestPlane.start(test);
    const seen = (await runStranger(plane.plane.address, resolvedSpec())) as Record<
      string,
      unknown
    >;
    const { created, services, wrong, missing, late, ...rest } = seen;
    assert.deepEqual(services, [
      "grpc.health.v1.Health",
      ...SERVICES.map((name) => `stillhouse.v1.${name}Service`),
    ]);
    assert.deepEqual(rest, {
      again: created,
      state: "STATE_QUEUED",
      rows: [
        ["full", "Full data", "RESULT_STATE_PENDING"],
        ["random", "Random real samples", "RESULT_STATE_PENDING"],
        ["untrained", "Untrained learner", "RESULT_STATE_PENDING"],
        ["distilled", "Distilled data", "RESULT_STATE_PENDING"],
      ],
      listedRows: ["full", "random", "untrained", "distilled"],
      listed: [created],
      firstEvent: created,
      health: { status: "SERVING" },
    });
    const message = "page_size must be from 0 to 1000, got 5000";
    assert.deepEqual(wrong, {
      code: "INVALID_ARGUMENT",
      details: [
        { ErrorInfo: { reason: "INVALID", domain: "stillhouse" } },
        {
          BadRequest: {
            fieldViolations: [{ field: "page_size", description: message, reason: "INVALID" }],
          },
        },
      ],
    });
    assert.equal((missing as { code: string }).code, "NOT_FOUND");
    assert.deepEqual(late, { code: "DEADLINE_EXCEEDED", details: [] });
  });
});

describe("the health service", () => {
  it("says SERVING once calls are taken, and NOT_SERVING while the plane drains", async (test) => {
    const plane = await TestPlane.start(test);
    const worker = await plane.worker();
    await plane.client.create(resolvedSpec(), "");
    const assign = await worker.nextTask();
    const statuses = watchHealth(plane.plane.address);
    afterwards(test, () => statuses.end());
    assert.equal(await statuses.next(), "SERVING");
    const stopped = plane.stop();
    assert.equal(await statuses.next(), "NOT_SERVING");
    await worker.next("cancel");
    await worker.reported(assign, { $case: "stopped", value: { time: undefined } });
    await stopped;
  });
});

function watchHealth(address: string) {
  // biome-ignore lint/suspicious/noExplicitAny: a client that is loaded from a file has no types
  const loaded = loadPackageDefinition(loadSync(protoPath, { enums: String })) as any;
  const client = new loaded.grpc.health.v1.Health(address, credentials.createInsecure());
  const call = client.watch({ service: "" });
  call.on("error", () => undefined);
  const answers = call[Symbol.asyncIterator]();
  return {
    next: async (): Promise<string> => (await answers.next()).value.status,
    end: () => {
      call.cancel();
      client.close();
    },
  };
}

describe("the status of a failed call", () => {
  const detailsOf = (error: StillhouseError) => {
    const [bytes] = statusOf(error).metadata.get("grpc-status-details-bin");
    return Status.decode(bytes as Buffer).details.map(({ typeUrl }) => typeUrl.split(".").at(-1));
  };

  it("says when to try again where that may help", () => {
    const unavailable = new StillhouseError(FailureKind.UNAVAILABLE, "stopping");
    assert.deepEqual(detailsOf(unavailable), ["ErrorInfo", "RetryInfo"]);
    const conflict = new StillhouseError(FailureKind.CONFLICT, "not now");
    assert.deepEqual(detailsOf(conflict), ["ErrorInfo"]);
  });

  it("fits the 8 KiB that gRPC allows, however long its texts are", () => {
    const long = "x".repeat(100_000);
    const cause = new StillhouseError(FailureKind.INTERNAL, long);
    const error = new StillhouseError(FailureKind.INVALID, long, {
      ...{ field: "inner.lr", traceback: long, cause },
    });
    const { details, metadata } = statusOf(error);
    const values = Object.values(metadata.getMap()).map((value) =>
      value instanceof Buffer ? value.toString("base64") : value,
    );
    const size = [details, ...values].reduce((sum, text) => sum + text.length, 0);
    assert.ok(size < 8_000, `${size} bytes`);
  });
});
