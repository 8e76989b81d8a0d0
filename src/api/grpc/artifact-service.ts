import type { Readable } from "node:stream";
import { cancelled } from "../../errors.js";
import type { Log } from "../../experiment/domain/ports.js";
import type { ArtifactStore, ExperimentStore } from "../../experiment/domain/storage-ports.js";
import type { Dispatcher } from "../../experiment/scheduling/dispatcher.js";
import { type OpenedFile, openArtifactFile } from "../../experiment/services/artifact-download.js";
import { receiveArtifact } from "../../experiment/services/artifact-intake.js";
import { requireReader } from "../../experiment/services/artifact-reader.js";
import type { Checkpoints } from "../../experiment/services/checkpoints.js";
import type { FoldersOfClients } from "../../experiment/services/client-folders.js";
import type {
  ArtifactServiceServer,
  DownloadArtifactResponse,
  DownloadCheckpointResponse,
} from "../../generated/stillhouse/v1/service.js";
import { isOfWorker } from "./caller.js";
import { failedCall, serverStream, unary } from "./calls.js";

/** What the service is over. */
export interface ArtifactServiceParts {
  readonly dispatcher: Dispatcher;
  readonly store: ExperimentStore;
  readonly artifacts: ArtifactStore;
  readonly checkpoints: Checkpoints;
  readonly clientFolders: FoldersOfClients;
  readonly log: Log;
}

/** ArtifactService of the protos over the domain and the artifact folder. */
export function artifactService(parts: ArtifactServiceParts): ArtifactServiceServer {
  const { dispatcher, store, artifacts, checkpoints, clientFolders, log } = parts;
  return {
    uploadArtifact: (call, callback) => {
      receiveArtifact(dispatcher, artifacts, partsOf(call)).then(
        (artifact) => callback(null, { artifact }),
        (error) => callback(failedCall(log, error)),
      );
    },
    downloadArtifact: serverStream(log, (request, _, metadata) => {
      if (isOfWorker(metadata)) requireReader(dispatcher, request);
      return chunks(openArtifactFile({ store, artifacts }, request));
    }),
    uploadCheckpoint: (call, callback) => {
      checkpoints.receive(partsOf(call)).then(
        () => callback(null, {}),
        (error) => callback(failedCall(log, error)),
      );
    },
    downloadCheckpoint: serverStream(log, (request) => plainChunks(checkpoints.open(request))),
    prepareFolder: unary(log, (request) => clientFolders.prepare(request)),
    uploadFolderFiles: (call, callback) => {
      clientFolders.receive(partsOf(call)).then(
        () => callback(null, {}),
        (error) => callback(failedCall(log, error)),
      );
    },
    downloadFolder: serverStream(log, (request) => clientFolders.open(request)),
  };
}

/** The parts of a stream; a stream that ends early was cut off by its sender. */
async function* partsOf<Part>(call: AsyncIterable<Part>): AsyncGenerator<Part> {
  try {
    yield* call;
  } catch (cause) {
    throw cancelled("the upload was cut off", {
      retryable: true,
      cause,
    });
  }
}

async function* plainChunks(bytes: Readable): AsyncGenerator<DownloadCheckpointResponse> {
  for await (const chunk of bytes as AsyncIterable<Buffer>) yield { chunk };
}

async function* chunks({ file, bytes }: OpenedFile): AsyncGenerator<DownloadArtifactResponse> {
  let isFirst = true;
  for await (const chunk of bytes as AsyncIterable<Buffer>) {
    yield { chunk, file: isFirst ? file : undefined };
    isFirst = false;
  }
  if (isFirst) yield { chunk: Buffer.alloc(0), file };
}
