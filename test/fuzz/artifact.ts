import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import { credentials, type ServiceError, status } from "@grpc/grpc-js";
import fc from "fast-check";
import {
  ArtifactServiceClient,
  type UploadArtifactRequest,
} from "../../src/generated/stillhouse/v1/service.js";
import { resolvedSpec } from "../fixtures/experiments.js";
import { PYTHON } from "../fixtures/tiny.js";
import { CASE_LIMIT_MS, type Extent, parametersOf, type Target, withPlane } from "./target.js";

const READ = join(import.meta.dirname, "read-artifacts.py");
const RIGHT = new Set([
  status.OK,
  status.INVALID_ARGUMENT,
  status.FAILED_PRECONDITION,
  status.PERMISSION_DENIED,
]);
const MAX_UINT64 = 2n ** 64n - 1n;

const name = fc.oneof(
  { weight: 3, arbitrary: fc.constantFrom("distilled.safetensors", "manifest.json", "a.txt") },
  fc.constantFrom(
    "",
    ".",
    "..",
    "../x",
    "/etc/passwd",
    "a/b",
    "a\\b",
    "a\0b",
    "x".repeat(300),
    "é",
  ),
  fc.string({ unit: "binary" }),
);
/** A file as it is announced, perhaps with a wrong name, size or hash. */
const file = fc.record({
  name,
  content: fc.uint8Array({ maxLength: 200 }),
  size: fc.option(fc.oneof(fc.bigInt({ min: 0n, max: 300n }), fc.constant(MAX_UINT64)), {
    freq: 4,
  }),
  sha256: fc.option(fc.string(), { freq: 5 }),
});
const upload = fc.record({
  files: fc.array(file, { maxLength: 4 }),
  isCurrent: fc.boolean(),
  hasHeader: fc.boolean(),
  /** Bytes that were not announced. */
  surplus: fc.uint8Array({ maxLength: 20 }),
  isCut: fc.boolean(),
});

/** An upload is stored as announced or not at all, and a stored artifact is read or refused. */
export const fuzzArtifacts: Target = async (extent) => {
  await fuzzUploads(extent);
  await readChanged(extent);
};

function fuzzUploads(extent: Extent): Promise<void> {
  return withPlane(extent, async (plane, fed) => {
    // An artifact that is replaced goes to the trash.
    const before = new Set([...readdirSync(plane.home), "trash"]);
    const [worker] = await plane.connectWorkers(1);
    await plane.client.create(resolvedSpec(), "fuzz");
    await worker?.nextTask();
    const { taskId, attempt, secret, experimentId } =
      worker?.assign ?? assert.fail("there is no task");
    const client = new ArtifactServiceClient(plane.grpcAddress, credentials.createInsecure());
    const property = fc.asyncProperty(upload, async (drawn) => {
      const files = drawn.files.map(({ name, content, size, sha256 }) => ({
        name,
        size: size ?? BigInt(content.length),
        sha256: sha256 ?? createHash("sha256").update(content).digest("hex"),
      }));
      const ofAttempt = drawn.isCurrent ? attempt : attempt + 1;
      const header = { taskId, attempt: ofAttempt, files, secret };
      const chunks = [...drawn.files.map(({ content }) => content), drawn.surplus];
      const parts: NonNullable<UploadArtifactRequest["part"]>[] = [
        ...(drawn.hasHeader ? [{ $case: "header" as const, value: header }] : []),
        ...chunks.map((chunk) => ({ $case: "chunk" as const, value: Buffer.from(chunk) })),
      ];
      const { code, details } = await send(client, parts, drawn.isCut);
      await fed();
      assert.ok(
        RIGHT.has(code) || (drawn.isCut && code === status.CANCELLED),
        `an upload was answered by ${status[code]}: ${details}`,
      );
      if (code === status.OK) assert.ok(drawn.hasHeader && drawn.isCurrent, "it was accepted");
    });
    try {
      await fc.assert(property, parametersOf(extent));
    } finally {
      client.close();
    }
    const strange = readdirSync(plane.home).filter((each) => !before.has(each));
    assert.deepEqual(strange, [], "something was written beside the artifacts");
    const left = () =>
      readdirSync(join(plane.home, "artifacts")).filter((each) => each !== experimentId);
    // Uploads that were cut off are noticed a little later.
    for (let waitMs = 0; waitMs < CASE_LIMIT_MS && left().length > 0; waitMs += 50) await sleep(50);
    assert.deepEqual(left(), [], "an upload that was refused left files");
  });
}

function send(
  client: ArtifactServiceClient,
  parts: readonly NonNullable<UploadArtifactRequest["part"]>[],
  isCut: boolean,
): Promise<{ code: status; details: string }> {
  return new Promise((resolve) => {
    const stream = client.uploadArtifact(
      { deadline: Date.now() + CASE_LIMIT_MS },
      (error: ServiceError | null) =>
        resolve({ code: error?.code ?? status.OK, details: error?.details ?? "" }),
    );
    // A server that has answered may close the stream while the client still writes.
    stream.on("error", () => undefined);
    for (const part of parts) stream.write({ part });
    if (isCut) stream.cancel();
    else stream.end();
  });
}

async function readChanged({ cases, seed }: Extent): Promise<void> {
  const env = { ...process.env, OMP_NUM_THREADS: "1" };
  await promisify(execFile)(PYTHON, [READ, String(cases), String(seed)], { env });
}
