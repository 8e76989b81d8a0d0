/** How long a text may be, in characters as JSON Schema counts them: Unicode code points. */
export interface TextLimit {
  readonly max: number;
  /**
   * Present for what people only read: a text that is too long is cut, with a mark where it was,
   * and this part of it is kept. Any other text that is too long is refused.
   */
  readonly keeps?: "start" | "end";
  /** What it may consist of, where that is not any character; a text of another form is refused. */
  readonly form?: TextForm;
}

export interface TextForm {
  /** For regular expressions with the flag u, as in JSON Schema. */
  readonly pattern: string;
  /** Follows "must". */
  readonly rule: string;
}

/** An id is a part of paths and addresses. Those of fields that are not set are empty. */
const ID: TextLimit = {
  max: 200,
  form: {
    pattern: "^(?!\\.{1,2}$)[^\\p{Cc}/\\\\]*$",
    rule: 'have no control characters, no "/" and no "\\", and be neither "." nor ".."',
  },
};
const METRIC_NAME: TextLimit = {
  max: 200,
  form: { pattern: "^[^\\p{Cc}]+$", rule: "have at least one character and no control characters" },
};
const ID_FIELD = /^(\w+_)?ids?$/;

/** Names, ids, hashes, devices: a line that a table shows. */
const DEFAULT_TEXT: TextLimit = { max: 200 };
/** The longest path that Linux opens; a data set or a model may be named by a folder. */
const PATH: TextLimit = { max: 4_096 };

const TEXTS: Readonly<Record<string, TextLimit>> = {
  "DatasetSpec.name": PATH,
  "DatasetSpec.data_dir": PATH,
  "DatasetSpec.substitute_for": PATH,
  // Two columns with a comma between them.
  "DatasetSpec.text_column": { max: 401 },
  "DatasetFound.files": PATH,
  "ModelSpec.name": PATH,
  "ModelSpec.substitute_for": PATH,
  "ModelSpec.embeddings": PATH,
  "EmbeddingsFound.path": PATH,
  // In a data set or model that a client sends.
  "ArtifactFile.name": PATH,
  "TransferModel.name": PATH,
  "ExperimentFilter.dataset": PATH,
  "ExperimentFilter.model": PATH,
  "ExperimentFilter.text": { max: 1_000 },
  "CreateExperimentRequest.request_id": { max: 1_000 },
  "CreateSweepRequest.request_id": { max: 1_000 },
  // Names a metric and its task, in base64.
  "ListMetricsRequest.page_token": { max: 4_096 },
  "ListExperimentsRequest.page_token": { max: 4_096 },
  "ListSweepsRequest.page_token": { max: 4_096 },
  "ListWorkersRequest.page_token": { max: 4_096 },
  "MetricPoint.name": METRIC_NAME,
  "Hello.versions": { max: 1_000 },
  // Names an address, and people alone read it.
  "Hello.grpc_fault": { max: 200, keeps: "start" },
  "TaskResult.environment": { max: 1_000 },
  "LogLine.message": { max: 16_384, keeps: "start" },
  "Failure.message": { max: 10_000, keeps: "start" },
  "Failure.field": { max: 200, keeps: "start" },
  // The last lines of a traceback say the most.
  "Failure.traceback": { max: 100_000, keeps: "end" },
};

/** Lists and maps that nothing else is said of. */
const DEFAULT_COUNT = 1_000;
const COUNTS: Readonly<Record<string, number>> = {
  "CreateSweepRequest.specs": 10_000,
  "MetricPoints.points": 10_000,
  "LearnerResult.inits": 10_000,
  // For a thousand classes.
  "InitResult.confusion": 1_000_000,
  // The parts of the largest sets of the hub.
  "DatasetFound.files": 10_000,
  "UploadHeader.files": 100,
  // Images in a folder per class.
  "FolderFiles.files": 20_000,
  "Artifact.files": 100,
  "Hello.versions": 100,
  "Hello.device_ids": 100,
  "Progress.values": 100,
  "TaskResult.environment": 100,
};

/** Keys of maps: names of packages, of metrics. */
export const MAX_KEY_CHARACTERS = 200;

/** A failure has a cause, which has a cause. */
export const MAX_DEPTH = 16;

/**
 * The limit of a text, or of the texts in a list or a map: the one table for whatever comes in, by
 * gRPC, HTTP, ZeroMQ or a file.
 *
 * @param message name of a message of the protos, without its package
 * @param field name of its field in the protos
 */
export function textLimit(message: string, field: string): TextLimit {
  return TEXTS[`${message}.${field}`] ?? (ID_FIELD.test(field) ? ID : DEFAULT_TEXT);
}

/** How many entries a list or a map may have; see `textLimit`. */
export function countLimit(message: string, field: string): number {
  return COUNTS[`${message}.${field}`] ?? DEFAULT_COUNT;
}

/** The fields that the table names, "Message.field". */
export function limitedFields(): readonly string[] {
  return [...Object.keys(TEXTS), ...Object.keys(COUNTS)];
}
