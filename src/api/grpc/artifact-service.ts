import { cancelled } from "../../errors.js";
import type { Log } from "../../experiment/domain/ports.js";
import type { ArtifactStore, ExperimentStore } from "../../experiment/domain/storage-ports.js";
import type { Dispatcher } from "../../experiment/scheduling/dispatcher.js";
import { type OpenedFile, openArtifactFile } from "../../experiment/services/artifact-download.js";
import { receiveArtifact } from "../../experiment/services/artifact-intake.js";
import { requireReader } from "../../experiment/services/artifact-reader.js";
import type {
  ArtifactServiceServer,
  DownloadArtifactResponse,
  UploadArtifactRequest,
} from "../../generated/stillhouse/v1/service.js";
import { isOfWorker } from "./caller.js";
import { failedCall, serverStream } from "./calls.js";

/** ArtifactService of the protos over the domain and the artifact folder. */
export function artifactService(
  dispatcher: Dispatcher,
  store: ExperimentStore,
  artifacts: ArtifactStore,
  log: Log,
): ArtifactServiceServer {
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
  };
}

/** The parts of a stream; a stream that ends early was cut off by its sender. */
async function* partsOf(
  call: AsyncIterable<UploadArtifactRequest>,
): AsyncGenerator<UploadArtifactRequest> {
  try {
    yield* call;
  } catch (cause) {
    throw cancelled("the upload was cut off", {
      retryable: true,
      cause,
    });
  }
}

async function* chunks({ file, bytes }: OpenedFile): AsyncGenerator<DownloadArtifactResponse> {
  let isFirst = true;
  for await (const chunk of bytes as AsyncIterable<Buffer>) {
    yield { chunk, file: isFirst ? file : undefined };
    isFirst = false;
  }
  if (isFirst) yield { chunk: Buffer.alloc(0), file };
}
