import { Metadata, type ServiceError, type StatusObject, status } from "@grpc/grpc-js";
import {
  cancelled,
  environment,
  fromFailure,
  internal,
  invalid,
  type StillhouseError,
  SURFACES,
  toFailure,
  unavailable,
} from "../../errors.js";
import { Failure } from "../../generated/stillhouse/v1/failure.js";
import { richStatus } from "./error-details.js";

/** Trailing metadata of a failed call: the bytes of a Failure. */
const FAILURE_KEY = "stillhouse-failure-bin";

/** Where clients of every language look for a google.rpc.Status. */
const RICH_STATUS_KEY = "grpc-status-details-bin";

/** gRPC implementations take about 8 KiB of metadata; the end of a traceback says the most. */
const MAX_TRACEBACK_CHARACTERS = 2_000;
const MAX_MESSAGE_CHARACTERS = 800;

/** Any thrown value as the status of a gRPC call. */
export function statusOf(thrown: unknown): StatusObject {
  const failure = forMetadata(toFailure(thrown));
  const metadata = new Metadata();
  const bytes = Failure.encode(failure).finish();
  metadata.set(FAILURE_KEY, Buffer.from(bytes));
  const code = SURFACES[failure.kind].grpcStatus;
  metadata.set(RICH_STATUS_KEY, Buffer.from(richStatus(code, failure)));
  return { code, details: failure.message, metadata };
}

/** The kind of failure that a status tells, such as "NOT_FOUND". */
export function kindOf({
  code,
  metadata,
}: {
  readonly code?: status | null;
  readonly metadata?: Metadata | null;
}): string {
  const bytes = metadata?.get(FAILURE_KEY)[0];
  const kind = bytes instanceof Buffer ? Failure.decode(bytes).kind : undefined;
  return kind?.replace("FAILURE_KIND_", "") ?? status[code ?? status.UNKNOWN] ?? String(code);
}

/** What OpenSSL and Node say about a refused connection, and what it means. */
const HINTS: readonly (readonly [says: RegExp, hint: string])[] = [
  [
    /self-signed|unable to (verify|get)/i,
    " that --ca trusts: its certificate is from another authority",
  ],
  [/altnames/, " by that name: its certificate is for others; npm run keys -- --hosts adds one"],
  [/has expired/, " with a valid certificate: it has expired; npm run keys makes a new one"],
  [
    /certificate required|unknown ca|bad certificate/,
    " to this certificate: it wants one of its own authority with --cert and --key",
  ],
  [/wrong version number/, " over TLS; leave --ca out, or start it with keys"],
  [/: Failed to connect/, " in the open; if it speaks TLS, give --ca FILE"],
];

function hintOf(details: string): string {
  return HINTS.find(([says]) => says.test(details))?.[1] ?? "";
}

/** The error of a gRPC call as the failure that the server had, or as what the transport met. */
export function errorOf(error: ServiceError, address: string): StillhouseError {
  const bytes = error.metadata?.get(FAILURE_KEY)[0];
  if (bytes instanceof Buffer) return fromFailure(Failure.decode(bytes));
  if (error.code === status.UNAVAILABLE || error.code === status.DEADLINE_EXCEEDED) {
    const message = `no control plane answers at ${address}${hintOf(error.details)}`;
    return unavailable(message, { cause: error });
  }
  if (error.code === status.CANCELLED) {
    return cancelled("the call was cancelled");
  }
  if (error.code === status.RESOURCE_EXHAUSTED) {
    const message = `the request is too large: ${error.details}`;
    return invalid("", message, { cause: error });
  }
  if (error.code === status.UNIMPLEMENTED) {
    const message = `the control plane at ${address} has another version of Stillhouse`;
    return environment(message, { cause: error });
  }
  const message = `the call to ${address} failed: ${error.details || error.message}`;
  return internal(message, { cause: error });
}

function forMetadata(failure: Failure): Failure {
  const message = failure.message.slice(0, MAX_MESSAGE_CHARACTERS);
  const traceback = failure.traceback.slice(-MAX_TRACEBACK_CHARACTERS);
  // Its cause is given one level deep, without its own traceback.
  const cause = failure.cause && {
    ...failure.cause,
    message: failure.cause.message.slice(0, MAX_MESSAGE_CHARACTERS),
    traceback: "",
    cause: undefined,
  };
  return { ...failure, message, traceback, cause };
}
