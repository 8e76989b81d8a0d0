import assert from "node:assert/strict";
import { Client, credentials, type ServiceError, status } from "@grpc/grpc-js";
import fc from "fast-check";
import * as service from "../../src/generated/stillhouse/v1/service.js";
import type { MeasuredPlane } from "../bench/control-plane/measured-plane.js";
import { resolvedSpec } from "../fixtures/experiments.js";
import { CASE_LIMIT_MS, parametersOf, type Target, withPlane } from "./target.js";
import { malformed } from "./wire.js";

interface Method {
  readonly path: string;
  readonly requestStream: boolean;
  readonly responseStream: boolean;
}

const SERVICES: readonly Readonly<Record<string, Method>>[] = [
  service.ExperimentServiceService,
  service.MetricServiceService,
  service.SweepServiceService,
  service.WorkerServiceService,
  service.ArtifactServiceService,
];
const METHODS = SERVICES.flatMap((methods) => Object.values(methods));
/** What a caller may be told of its own mistake, or of what is not there. */
const RIGHT = new Set([
  status.OK,
  status.INVALID_ARGUMENT,
  status.NOT_FOUND,
  status.FAILED_PRECONDITION,
  status.OUT_OF_RANGE,
  status.RESOURCE_EXHAUSTED,
  status.UNIMPLEMENTED,
]);
/** What gRPC itself says of bytes that are no message. */
const UNREADABLE = /deserializ|illegal|out of range|wire type|premature|invalid/i;
const asIs = (bytes: Buffer) => bytes;

function examples(): Uint8Array[] {
  const spec = resolvedSpec();
  return [
    service.CreateExperimentRequest.encode(
      service.CreateExperimentRequest.fromPartial({ spec, requestId: "r" }),
    ).finish(),
    service.ResolveExperimentRequest.encode({ draft: spec }).finish(),
    service.ListExperimentsRequest.encode(
      service.ListExperimentsRequest.fromPartial({ pageSize: 5, pageToken: "7" }),
    ).finish(),
    service.WatchExperimentRequest.encode(
      service.WatchExperimentRequest.fromPartial({ experimentId: "x", afterSequence: 3n }),
    ).finish(),
    service.DownloadArtifactRequest.encode(
      service.DownloadArtifactRequest.fromPartial({ artifactId: "../..", fileName: "/etc/passwd" }),
    ).finish(),
    service.UploadArtifactRequest.encode({
      part: {
        $case: "header",
        value: {
          taskId: "t",
          attempt: 1,
          files: [{ name: "../a", size: 1n, sha256: "0" }],
          secret: Buffer.alloc(32),
        },
      },
    }).finish(),
  ];
}

/** Every call is answered: with what was asked for, or with an error that is the caller's. */
export const fuzzGrpc: Target = (extent) =>
  withPlane(extent, async (plane, fed) => {
    const client = new Client(plane.grpcAddress, credentials.createInsecure());
    const messages = fc.array(malformed(examples()), { minLength: 1, maxLength: 3 });
    const request = fc.tuple(fc.constantFrom(...METHODS), messages);
    const property = fc.asyncProperty(request, async ([method, sent]) => {
      const { code, details } = await call(client, method, sent);
      await fed();
      const isUnreadable = code === status.INTERNAL && UNREADABLE.test(details);
      assert.ok(
        RIGHT.has(code) || isUnreadable,
        `${method.path} answered ${status[code]}: ${details}`,
      );
      if (code === status.OK) await removeAll(plane);
    });
    try {
      await fc.assert(property, parametersOf(extent));
    } finally {
      client.close();
    }
  });

/** A stream is left at its first answer. */
function call(
  client: Client,
  { path, requestStream, responseStream }: Method,
  [first = Buffer.alloc(0), ...rest]: readonly Buffer[],
): Promise<{ code: status; details: string }> {
  return new Promise((resolve) => {
    const options = { deadline: Date.now() + CASE_LIMIT_MS };
    const answer = (error: ServiceError | null) =>
      resolve({ code: error?.code ?? status.OK, details: error?.details ?? "" });
    if (requestStream) {
      const stream = client.makeClientStreamRequest(path, asIs, asIs, options, answer);
      // A server that has answered may close the stream while it is written.
      stream.on("error", () => undefined);
      for (const message of [first, ...rest]) stream.write(message);
      stream.end();
    } else if (responseStream) {
      const stream = client.makeServerStreamRequest(path, asIs, asIs, first, options);
      stream.on("error", answer);
      const done = () => {
        resolve({ code: status.OK, details: "" });
        stream.cancel();
      };
      stream.on("data", done);
      stream.on("end", done);
    } else {
      client.makeUnaryRequest(path, asIs, asIs, first, options, answer);
    }
  });
}

/** What a call made after all would be held by right, and so would hide what is held by mistake. */
async function removeAll(plane: MeasuredPlane): Promise<void> {
  const { experiments } = await plane.client.list(1_000, "");
  for (const { id, endTime } of experiments) {
    if (!endTime) await plane.client.cancel(id);
    await plane.client.delete(id);
  }
}
