import type { Readable } from "node:stream";
import { receiveArtifact } from "../../experiment/artifact-intake.js";
import type { Dispatcher } from "../../experiment/dispatcher.js";
import type { ArtifactStore, Log } from "../../experiment/ports.js";
import type {
  ArtifactServiceServer,
  DownloadArtifactResponse,
  UploadArtifactRequest,
} from "../../generated/stillhouse/v1/service.js";
import { failedCall, serverStream } from "./calls.js";

/** ArtifactService of the protos over the domain and the artifact folder. */
export function artifactService(
  dispatcher: Dispatcher,
  artifacts: ArtifactStore,
  log: Log,
): ArtifactServiceServer {
  return {
    uploadArtifact: (call, callback) => {
      const parts: AsyncIterable<UploadArtifactRequest> = call;
      receiveArtifact(dispatcher, artifacts, parts).then(
        (artifact) => callback(null, { artifact }),
        (error) => callback(failedCall(log, error)),
      );
    },
    downloadArtifact: serverStream(log, ({ artifactId, fileName }) =>
      chunks(artifacts.read(artifactId, fileName)),
    ),
  };
}

async function* chunks(file: Readable): AsyncGenerator<DownloadArtifactResponse> {
  for await (const chunk of file as AsyncIterable<Buffer>) yield { chunk };
}
