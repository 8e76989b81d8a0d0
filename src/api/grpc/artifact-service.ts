import type { Readable } from "node:stream";
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
import { clientStream, serverStream, unary } from "./calls.js";

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
    uploadArtifact: clientStream(log, async (parts) => ({
      artifact: await receiveArtifact(dispatcher, artifacts, parts),
    })),
    downloadArtifact: serverStream(log, (request, _, metadata) => {
      if (isOfWorker(metadata)) requireReader(dispatcher, request);
      return chunks(openArtifactFile({ store, artifacts }, request));
    }),
    uploadCheckpoint: clientStream(log, async (parts) => {
      await checkpoints.receive(parts);
      return {};
    }),
    downloadCheckpoint: serverStream(log, (request) => plainChunks(checkpoints.open(request))),
    prepareFolder: unary(log, (request) => clientFolders.prepare(request)),
    uploadFolderFiles: clientStream(log, async (parts) => {
      await clientFolders.receive(parts);
      return {};
    }),
    downloadFolder: serverStream(log, (request) => clientFolders.open(request)),
  };
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
