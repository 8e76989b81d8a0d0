import { Failure, FailureKind } from "./generated/stillhouse/v1/failure.js";

export { FailureKind };

export interface ErrorDetails {
  /** Path of the field of the spec that is at fault, such as "inner.lr". */
  field?: string;
  /** Whether the same thing may succeed when it is tried again. Default false. */
  retryable?: boolean;
  /** Traceback or log that explains a defect; a user's mistake has none. */
  traceback?: string;
  cause?: unknown;
}

/** The one error that users are meant to read: a kind and one sentence. */
export class StillhouseError extends Error {
  override readonly name = "StillhouseError";
  readonly kind: FailureKind;
  readonly field: string;
  readonly retryable: boolean;
  readonly traceback: string;

  constructor(kind: FailureKind, message: string, details: ErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.kind = kind;
    this.field = details.field ?? "";
    this.retryable = details.retryable ?? false;
    this.traceback = details.traceback ?? "";
  }
}

/**
 * A person gave something invalid; the sentence says the value and the fix.
 *
 * @param field path of what is at fault, such as "inner.lr"; empty where no single field is
 */
export function invalid(field: string, message: string, details?: ErrorDetails): StillhouseError {
  return new StillhouseError(FailureKind.INVALID, message, { ...details, field });
}

/** What was named does not exist. */
export const notFound = ofKind(FailureKind.NOT_FOUND);

/** @param noun the kind of thing that has the id, such as "experiment" */
export function noSuch(noun: string, id: string): StillhouseError {
  return notFound(`there is no ${noun} ${JSON.stringify(id)}`, { field: `${noun}_id` });
}

/** The present state does not allow the request. */
export const conflict = ofKind(FailureKind.CONFLICT);
/** The machine, its files or its programs are not usable. */
export const environment = ofKind(FailureKind.ENVIRONMENT);
export const cancelled = ofKind(FailureKind.CANCELLED);
/** A defect of Stillhouse. */
export const internal = ofKind(FailureKind.INTERNAL);
/** No control plane answers at present. */
export const unavailable = ofKind(FailureKind.UNAVAILABLE);
/** The caller is not known. */
export const unauthenticated = ofKind(FailureKind.UNAUTHENTICATED);
/** The caller may not do this. */
export const permissionDenied = ofKind(FailureKind.PERMISSION_DENIED);
/** Memory, disk or a quota is used up. */
export const exhausted = ofKind(FailureKind.EXHAUSTED);
/** Too many requests at a time; later there is room. */
export const rateLimited = ofKind(FailureKind.RATE_LIMITED, { retryable: true });

/**
 * What an answer must hold.
 *
 * @param fault what happened where it does not, such as "the server returned no sweep for id 7f"
 * @throws INTERNAL
 */
export function present<Value>(value: Value | undefined, fault: string): Value {
  if (value !== undefined) return value;
  throw internal(fault);
}

function ofKind(kind: FailureKind, defaults: ErrorDetails = {}) {
  return (message: string, details?: ErrorDetails): StillhouseError =>
    new StillhouseError(kind, message, { ...defaults, ...details });
}

interface Surfaces {
  /** Status code of gRPC. Numbers, so that the domain needs no I/O library for them. */
  readonly grpcStatus: number;
  /** Status code of HTTP. */
  readonly httpStatus: number;
  /** Exit code of the command line. */
  readonly exitCode: number;
}

/** How each kind of failure shows at the edges of the system. */
export const SURFACES: Readonly<Record<FailureKind, Surfaces>> = {
  [FailureKind.UNSPECIFIED]: { grpcStatus: 2, httpStatus: 500, exitCode: 1 },
  [FailureKind.INVALID]: { grpcStatus: 3, httpStatus: 400, exitCode: 2 },
  [FailureKind.NOT_FOUND]: { grpcStatus: 5, httpStatus: 404, exitCode: 1 },
  [FailureKind.CONFLICT]: { grpcStatus: 9, httpStatus: 409, exitCode: 1 },
  [FailureKind.DIVERGED]: { grpcStatus: 11, httpStatus: 422, exitCode: 1 },
  [FailureKind.EXHAUSTED]: { grpcStatus: 8, httpStatus: 507, exitCode: 1 },
  [FailureKind.WORKER_LOST]: { grpcStatus: 10, httpStatus: 502, exitCode: 1 },
  [FailureKind.ENVIRONMENT]: { grpcStatus: 9, httpStatus: 500, exitCode: 1 },
  [FailureKind.CANCELLED]: { grpcStatus: 1, httpStatus: 499, exitCode: 130 },
  [FailureKind.INTERNAL]: { grpcStatus: 13, httpStatus: 500, exitCode: 1 },
  [FailureKind.UNAVAILABLE]: { grpcStatus: 14, httpStatus: 503, exitCode: 3 },
  [FailureKind.UNAUTHENTICATED]: { grpcStatus: 16, httpStatus: 401, exitCode: 1 },
  [FailureKind.PERMISSION_DENIED]: { grpcStatus: 7, httpStatus: 403, exitCode: 1 },
  [FailureKind.RATE_LIMITED]: { grpcStatus: 8, httpStatus: 429, exitCode: 1 },
  [FailureKind.UNRECOGNIZED]: { grpcStatus: 2, httpStatus: 500, exitCode: 1 },
};

/** Exit code of a command that a person ended, as shells give it for Ctrl-C. */
export const INTERRUPTED = SURFACES[FailureKind.CANCELLED].exitCode;

/**
 * Any thrown value as data. Anything but a StillhouseError is a defect: INTERNAL, with its stack.
 */
export function toFailure(thrown: unknown): Failure {
  if (thrown instanceof StillhouseError) {
    return Failure.fromPartial({
      kind: thrown.kind,
      message: thrown.message,
      field: thrown.field,
      retryable: thrown.retryable,
      traceback: thrown.traceback,
      ...(thrown.cause instanceof Error ? { cause: toFailure(thrown.cause) } : {}),
    });
  }
  const error = thrown instanceof Error ? thrown : new Error(String(thrown));
  return Failure.fromPartial({
    kind: FailureKind.INTERNAL,
    message: error.message || "an error without a message",
    traceback: error.stack ?? "",
  });
}

/** The inverse of `toFailure`. */
export function fromFailure(failure: Failure): StillhouseError {
  return new StillhouseError(failure.kind, failure.message, {
    field: failure.field,
    retryable: failure.retryable,
    traceback: failure.traceback,
    ...(failure.cause ? { cause: fromFailure(failure.cause) } : {}),
  });
}

/**
 * Why nothing can be served there.
 *
 * @param what such as "gRPC"
 * @param address HOST:PORT
 */
export function cannotListen(what: string, address: string, cause: Error): StillhouseError {
  // gRPC's error has no code, only its message says it.
  const isTaken = `${"code" in cause ? cause.code : ""} ${cause.message}`.includes("EADDRINUSE");
  return isTaken
    ? conflict(`the port for ${what}, ${address}, is taken; choose another one (0 takes any)`, {
        cause,
      })
    : invalid("", `${what} cannot be served at ${address}: ${cause.message}`, { cause });
}
