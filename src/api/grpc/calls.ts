import { once } from "node:events";
import type {
  handleClientStreamingCall,
  handleServerStreamingCall,
  handleUnaryCall,
  Metadata,
  ServerErrorResponse,
  ServerWritableStream,
} from "@grpc/grpc-js";
import { cancelled, FailureKind, toFailure } from "../../errors.js";
import type { Log } from "../../experiment/domain/ports.js";
import type { Answering } from "../methods.js";
import { callerOf } from "./caller.js";
import { statusOf } from "./failure-metadata.js";

/** A handler that returns or throws, as a handler of gRPC. */
export function unary<Request, Response>(
  log: Log,
  handle: Answering<Request, Response>,
): handleUnaryCall<Request, Response> {
  return (call, callback) => {
    Promise.resolve()
      .then(() => handle(call.request, callerOf(call.metadata)))
      .then(
        (response) => callback(null, response),
        (error) => callback(failedCall(log, error)),
      );
  };
}

/** Handlers that return or throw, each as a handler of gRPC. */
export function allUnary<Methods extends Readonly<Record<string, Answering<never, unknown>>>>(
  log: Log,
  methods: Methods,
): { [M in keyof Methods]: HandlerOf<Methods[M]> } {
  const handlers = Object.entries(methods).map(([name, handle]) => [name, unary(log, handle)]);
  return Object.fromEntries(handlers);
}

type HandlerOf<Method> =
  Method extends Answering<infer Request, infer Response>
    ? handleUnaryCall<Request, Awaited<Response>>
    : never;

/** A handler that takes a stream of messages, and returns or throws, as a handler of gRPC. */
export function clientStream<Request, Response>(
  log: Log,
  handle: (parts: AsyncIterable<Request>) => Promise<Response>,
): handleClientStreamingCall<Request, Response> {
  return (call, callback) => {
    handle(partsOf<Request>(call)).then(
      (response) => callback(null, response),
      (error) => callback(failedCall(log, error)),
    );
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

/**
 * A generator of messages as a handler of gRPC. The next message is only produced when the client
 * has read the ones before, so that a slow client costs no memory.
 *
 * @param handle gets a signal that aborts when the client disconnects, and the call's metadata
 */
export function serverStream<Request, Response>(
  log: Log,
  handle: (request: Request, signal: AbortSignal, metadata: Metadata) => AsyncIterable<Response>,
): handleServerStreamingCall<Request, Response> {
  return (call) => {
    const gone = new AbortController();
    call.on("cancelled", () => gone.abort());
    call.on("close", () => gone.abort());
    const messages = () => handle(call.request, gone.signal, call.metadata);
    pump(call, messages, gone.signal).then(
      () => call.end(),
      (error) => {
        if (!gone.signal.aborted) call.emit("error", failedCall(log, error));
      },
    );
  };
}

/** The error of a call as gRPC wants it; a defect is logged with its stack. */
export function failedCall(log: Log, error: unknown): ServerErrorResponse {
  const failure = toFailure(error);
  if (failure.kind === FailureKind.INTERNAL) {
    log.error(`a call failed: ${failure.message}\n${failure.traceback}`);
  }
  return Object.assign(new Error(failure.message), statusOf(error));
}

async function pump<Request, Response>(
  call: ServerWritableStream<Request, Response>,
  messages: () => AsyncIterable<Response>,
  signal: AbortSignal,
): Promise<void> {
  for await (const message of messages()) {
    if (signal.aborted) return;
    if (!call.write(message)) await drained(call, signal);
  }
}

async function drained(call: NodeJS.EventEmitter, signal: AbortSignal): Promise<void> {
  // A client that goes away is noticed by the signal in the loop above.
  await once(call, "drain", { signal }).catch(() => undefined);
}
