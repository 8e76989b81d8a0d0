import assert from "node:assert/strict";
import { Client, credentials, type ServiceError, status } from "@grpc/grpc-js";
import fc from "fast-check";
import * as service from "../../src/generated/stillhouse/v1/service.js";
import type { MeasuredPlane } from "../bench/control-plane/measured-plane.js";
import { resolvedSpec } from "../fixtures/experiments.js";
import { DutifulWorker } from "./dutiful-worker.js";
import { extremeBytes, type Recipe, recipes } from "./extremes.js";
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
/** The statuses for success, for a caller's mistake and for what does not exist. */
const RIGHT = new Set([
  status.OK,
  status.INVALID_ARGUMENT,
  status.NOT_FOUND,
  status.FAILED_PRECONDITION,
  status.OUT_OF_RANGE,
  status.RESOURCE_EXHAUSTED,
  status.PERMISSION_DENIED,
  status.UNIMPLEMENTED,
]);
/** What gRPC itself says about bytes that are no message. */
const UNREADABLE = /deserializ|illegal|out of range|wire type|premature|invalid/i;
const asIs = (bytes: Buffer) => bytes;

/** A valid request. */
interface Example {
  readonly method: Method;
  /** The request, encoded with the extremes of the recipe. */
  bytes(recipe: Pick<Recipe, "changes">): Buffer;
}

function example<Request extends object>(
  method: Method,
  codec: { encode(message: Request): { finish(): Uint8Array } },
  request: Request,
): Example {
  return { method, bytes: (recipe) => extremeBytes(recipe, request, codec.encode) };
}

function examples(): Example[] {
  const spec = resolvedSpec();
  const { ExperimentServiceService: experiments, SweepServiceService: sweeps } = service;
  const { ArtifactServiceService: artifacts, MetricServiceService: metrics } = service;
  const { WorkerServiceService: workers } = service;
  const ids = { experimentId: "x" };
  const reuseAfter = new Date(0);
  const [file, secret] = [{ name: "../a", size: 1n, sha256: "0" }, Buffer.alloc(32)];
  const lease = { taskId: "t", attempt: 1, secret };
  const checkpoint = { kind: "training", step: 1n, size: 1n, sha256: "0".repeat(64) };
  return [
    example(
      experiments.createExperiment,
      service.CreateExperimentRequest,
      service.CreateExperimentRequest.fromPartial({ spec, requestId: "r", reuseAfter }),
    ),
    example(
      sweeps.createSweep,
      service.CreateSweepRequest,
      service.CreateSweepRequest.fromPartial({ name: "s", specs: [spec], maxParallel: 1 }),
    ),
    example(experiments.resolveExperiment, service.ResolveExperimentRequest, { draft: spec }),
    example(
      experiments.listExperiments,
      service.ListExperimentsRequest,
      service.ListExperimentsRequest.fromPartial({ pageSize: 5, filter: { text: "a" } }),
    ),
    example(
      experiments.watchExperiment,
      service.WatchExperimentRequest,
      service.WatchExperimentRequest.fromPartial({ ...ids, afterSequence: 3n }),
    ),
    example(experiments.compareExperiments, service.CompareExperimentsRequest, {
      experimentIds: ["x", "y"],
    }),
    example(
      metrics.getMetricSeries,
      service.GetMetricSeriesRequest,
      service.GetMetricSeriesRequest.fromPartial({ ...ids, names: ["loss"], lastStep: 9n }),
    ),
    example(workers.listWorkers, service.ListWorkersRequest, { pageSize: 5, pageToken: "" }),
    example(
      artifacts.downloadArtifact,
      service.DownloadArtifactRequest,
      service.DownloadArtifactRequest.fromPartial({ artifactId: "../..", fileName: "/etc/passwd" }),
    ),
    example(artifacts.uploadArtifact, service.UploadArtifactRequest, {
      part: {
        $case: "header",
        value: { taskId: "t", attempt: 1, files: [file], secret },
      },
    }),
    example(artifacts.uploadCheckpoint, service.UploadCheckpointRequest, {
      part: { $case: "header", value: { ...lease, checkpoint } },
    }),
    example(artifacts.prepareFolder, service.PrepareFolderRequest, {
      folder: { files: [{ ...file, name: "set/train.csv" }] },
      isDryRun: false,
    }),
    example(artifacts.uploadFolderFiles, service.UploadFolderFilesRequest, {
      part: { $case: "header", value: { files: [file] } },
    }),
    example(artifacts.downloadFolder, service.DownloadFolderRequest, {
      ...lease,
      folderId: "0".repeat(64),
    }),
    example(artifacts.downloadCheckpoint, service.DownloadCheckpointRequest, {
      ...lease,
      checkpoint,
    }),
  ];
}

/** Arbitrary bytes to any method, or a valid request with extreme values to its own method. */
type Case =
  | { readonly path: string; readonly messages: readonly Buffer[] }
  | { readonly valid: Recipe };

function cases(known: readonly Example[]): fc.Arbitrary<Case> {
  const bytes = known.map((each) => each.bytes({ changes: [] }));
  const messages = fc.array(malformed(bytes), { minLength: 1, maxLength: 3 });
  const path = fc.constantFrom(...METHODS.map((method) => method.path));
  return fc.oneof(fc.record({ path, messages }), fc.record({ valid: recipes() }));
}

/**
 * Every call is answered, with what was asked for or with an error that is the caller's fault, and
 * the tasks of others are still dispatched and done.
 */
export const fuzzGrpc: Target = (extent) =>
  withPlane(extent, async (plane, fed) => {
    const client = new Client(plane.grpcAddress, credentials.createInsecure());
    const dutiful = await DutifulWorker.start(plane);
    const known = examples();
    const property = fc.asyncProperty(cases(known), async (sent) => {
      const { method, messages } = requestOf(sent, known);
      const { code, details } = await call(client, method, messages);
      await dutiful.showsThatTasksAreDone();
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

function requestOf(
  sent: Case,
  known: readonly Example[],
): { method: Method; messages: readonly Buffer[] } {
  if ("valid" in sent) {
    const chosen = known[sent.valid.example % known.length] as Example;
    return { method: chosen.method, messages: [chosen.bytes(sent.valid)] };
  }
  const method = METHODS.find(({ path }) => path === sent.path) as Method;
  return { method, messages: sent.messages };
}

/** Calls a method; a stream is cancelled at its first answer. */
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
      // A server that has answered may close the stream while the client still writes.
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

/** Removes the experiments that calls created, whose memory would hide a leak. */
async function removeAll(plane: MeasuredPlane): Promise<void> {
  const { experiments } = await plane.client.list(1_000, "");
  for (const { id, endTime } of experiments) {
    // It may have ended since it was listed.
    if (!endTime) await plane.client.cancel(id).catch(() => undefined);
    await plane.client.delete(id);
  }
}
