import type { ErrorRequestHandler, RequestHandler, Response } from "express";
import { FailureKind, notFound, StillhouseError, SURFACES, toFailure } from "../../errors.js";
import type { Log } from "../../experiment/domain/ports.js";
import type { JsonSchema } from "./proto-schema.js";
import { reference } from "./proto-schema.js";

export const ERROR_SCHEMA: JsonSchema = {
  type: "object",
  required: ["error"],
  additionalProperties: false,
  properties: {
    error: {
      type: "object",
      required: ["kind", "message", "field", "retryable"],
      additionalProperties: false,
      properties: {
        kind: reference("FailureKind"),
        message: { type: "string", description: "One sentence for a person." },
        field: { type: "string", description: "The field at fault; empty when none is." },
        retryable: { type: "boolean", description: "The same request may succeed later." },
      },
    },
  },
};

/** Errors of HTTP clients before a request reaches a route. */
const TRANSPORT_ERRORS: Readonly<Record<string, string>> = {
  "entity.parse.failed": "the body is not valid JSON",
  "entity.too.large": "the body is too large",
  "encoding.unsupported": "the encoding of the body is not known",
  "charset.unsupported": "the character set of the body is not known",
  "request.aborted": "the request was cut off",
};

/** Answers with the error as JSON, under the status of its kind or the one that is given. */
export function sendFailure(response: Response, thrown: unknown, status?: number): void {
  const { kind, message, field, retryable } = toFailure(thrown);
  response.status(status ?? SURFACES[kind].httpStatus);
  response.set("Cache-Control", "no-store");
  if (retryable) response.set("Retry-After", "1");
  response.json({ error: { kind, message, field, retryable } });
}

/** The last handler: every error as JSON; a defect is logged with its stack. */
export function failureHandler(log: Log): ErrorRequestHandler {
  return (thrown, request, response, _next) => {
    const transport = transportError(thrown);
    if (!transport) logDefect(log, `${request.method} ${request.path}`, thrown);
    // A part of the answer has been sent: only a cut connection shows the failure.
    if (response.headersSent) response.destroy();
    else if (transport) sendFailure(response, transport.error, transport.status);
    else sendFailure(response, thrown);
  };
}

export function logDefect(log: Log, what: string, thrown: unknown): void {
  const { kind, message, traceback } = toFailure(thrown);
  if (kind === FailureKind.INTERNAL) {
    log.error(`${what} failed: ${message}\n${traceback}`);
  }
}

/** A path of the API that is none, or not with this method. */
export const noSuchRoute: RequestHandler = (request, response) => {
  const message = `there is no ${request.method} ${request.path}; GET /api/v1/openapi.json lists all paths`;
  sendFailure(response, notFound(message));
};

/** Errors of Express and its parsers carry the status that is meant. */
function transportError(thrown: unknown): { error: StillhouseError; status: number } | undefined {
  if (thrown instanceof StillhouseError || !(thrown instanceof Error)) return undefined;
  const { status, type } = thrown as { status?: unknown; type?: unknown };
  if (typeof status !== "number" || status < 400 || status > 499) return undefined;
  const known = typeof type === "string" ? TRANSPORT_ERRORS[type] : undefined;
  const kind = status === 404 ? FailureKind.NOT_FOUND : FailureKind.INVALID;
  return { error: new StillhouseError(kind, known ?? thrown.message), status };
}
