import type { Request, Response } from "express";
import type { z } from "zod";
import type { ExperimentSpec } from "../../generated/stillhouse/v1/spec.js";
import type { HttpPlace } from "../../messages/methods.js";
import type { Identity } from "../../security/identity.js";
import type { JsonSchema } from "./proto-schema.js";

/** The input of a request. */
export interface Asked {
  /** The parts of the path in braces. */
  readonly path: Readonly<Record<string, string>>;
  readonly query: Readonly<Record<string, unknown>>;
  /** Checked by the schema of the message that the route takes. */
  readonly body: unknown;
  readonly identity: Identity;
  /** A message as this caller may send it, see `ownRequest`. */
  readonly owned: <Message>(message: Message) => Message;
  /** Checks the folders that a spec names for this caller; absent: it may name any. */
  readonly mayName: ((spec: ExperimentSpec) => void) | undefined;
}

/** An answer that is not JSON. */
export interface RawAnswer {
  /** Media types by their names, with what they hold. */
  readonly content: Readonly<Record<string, JsonSchema>>;
  /** Statuses besides 200 and those of errors, with what they mean. */
  readonly statuses?: Readonly<Record<number, string>>;
}

/** A path of the HTTP interface: what the router, the checks and the description are made from. */
export interface Route extends HttpPlace {
  readonly summary: string;
  /**
   * The gRPC method that does the same, such as "ExperimentService/CancelExperiment": a caller who
   * may call that one may use this route.
   */
  readonly rpc?: string;
  /** Its name in the description where that is not the one of `rpc`. */
  readonly operation?: string;
  readonly query?: z.ZodObject;
  /** Name of the message in the body. */
  readonly body?: string;
  readonly answer: JsonSchema | RawAnswer;
  /** What it returns, where that is a message, is looked into for the audit log. */
  readonly handle: (asked: Asked, response: Response, request: Request) => unknown;
}
