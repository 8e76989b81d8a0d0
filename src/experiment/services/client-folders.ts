import { invalid, permissionDenied } from "../../errors.js";
import type {
  DownloadFolderRequest,
  DownloadFolderResponse,
  FolderFiles,
  PrepareFolderRequest,
  PrepareFolderResponse,
  UploadFolderFilesRequest,
} from "../../generated/stillhouse/v1/service.js";
import {
  checkFolderFiles,
  checkSizes,
  clientFoldersOf,
  folderIdOf,
} from "../../settings/client-folder.js";
import { given } from "../domain/request-checks.js";
import type { ClientFolderStore } from "../domain/storage-ports.js";
import type { Dispatcher } from "../scheduling/dispatcher.js";
import type { Ledger } from "../scheduling/ledger.js";
import { openUpload } from "./upload-chunks.js";

export interface ClientFoldersParts {
  readonly dispatcher: Pick<Dispatcher, "requireLease">;
  readonly ledger: Pick<Ledger, "record">;
  readonly store: ClientFolderStore;
  /** Throws the reason why nothing new is taken. */
  readonly assertOpen: () => void;
}

/** Takes in data sets and models that clients send, and gives them to the workers of their tasks. */
export class FoldersOfClients {
  readonly #parts: ClientFoldersParts;

  constructor(parts: ClientFoldersParts) {
    this.#parts = parts;
  }

  /**
   * Makes the folder where all of its files are here, or says which are missing.
   *
   * @throws INVALID for names that lead out of it, too many files or too many bytes
   */
  async prepare({ folder, isDryRun }: PrepareFolderRequest): Promise<PrepareFolderResponse> {
    this.#parts.assertOpen();
    const { files } = given<FolderFiles>(folder, "folder");
    checkFolderFiles(files);
    const { store } = this.#parts;
    const folderId = folderIdOf(files);
    if (!store.has(folderId)) {
      const missing = await store.missing(files, !isDryRun);
      if (missing.length > 0 || isDryRun) return { folderId, path: "", missing };
    }
    return { folderId, path: await store.make(files), missing: [] };
  }

  /**
   * Receives files, all of them or none.
   *
   * @param parts a header, then chunks
   * @throws INVALID for a stream or a file that is not as announced, EXHAUSTED
   */
  async receive(parts: AsyncIterable<UploadFolderFilesRequest>): Promise<void> {
    this.#parts.assertOpen();
    const { header, chunks } = await openUpload<FolderFiles>(parts);
    checkSizes(header.files);
    if (new Set(header.files.map(({ sha256 }) => sha256)).size < header.files.length) {
      throw invalid("files", "an upload names each hash once, since each file is kept once");
    }
    const upload = await this.#parts.store.begin(header.files);
    try {
      for await (const chunk of chunks) await upload.write(chunk);
      await upload.finish();
    } catch (error) {
      await upload.abort();
      throw error;
    }
  }

  /**
   * A folder, for the worker with the secret of the present attempt at a task whose spec names it.
   *
   * @throws NOT_FOUND, CONFLICT, PERMISSION_DENIED
   */
  async *open(request: DownloadFolderRequest): AsyncGenerator<DownloadFolderResponse> {
    const { dispatcher, ledger, store } = this.#parts;
    const { experimentId } = dispatcher.requireLease("download", request);
    const { spec } = ledger.record(experimentId).experiment;
    const { folderId } = request;
    if (!clientFoldersOf(spec).includes(folderId)) {
      throw permissionDenied(
        `task ${request.taskId} does not use the folder ${JSON.stringify(folderId)}; a worker fetches only those of its task`,
      );
    }
    const files = store.filesOf(folderId);
    yield { part: { $case: "files", value: { files } } };
    for await (const bytes of store.read(folderId)) {
      yield { part: { $case: "chunk", value: Buffer.from(bytes) } };
    }
  }
}
