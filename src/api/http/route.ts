import type { Request, Response } from "express";
import type { z } from "zod";
import type { ExperimentSpec } from "../../generated/stillhouse/v1/spec.js";
import type { Identity } from "../../security/identity.js";
import type { JsonSchema } from "./proto-schema.js";

/** The generated code of a message, with its name in the protos. */
export interface MessageType<Message> {
  readonly name: string;
  fromJSON(object: unknown): Message;
  toJSON(message: Message): unknown;
}

/** What a client gives with a request. */
export interface Asked<Query, Body> {
  /** The parts of the path in braces. */
  readonly path: Readonly<Record<string, string>>;
  readonly query: Query;
  readonly body: Body;
  readonly identity: Identity;
  /** A message as this caller may send it, see `ownRequest`. */
  readonly owned: <Message>(message: Message) => Message;
  /** Checks the folders that a spec names for this caller; absent: it may name any. */
  readonly mayName: ((spec: ExperimentSpec) => void) | undefined;
}

/** An answer that is no JSON. */
export interface RawAnswer {
  /** Media types by their names, with what they hold. */
  readonly content: Readonly<Record<string, JsonSchema>>;
  /** Statuses besides 200 and those of errors, with what they mean. */
  readonly statuses?: Readonly<Record<number, string>>;
}

/** A path of the HTTP interface: what the router, the checks and the description are made from. */
export interface Route {
  readonly method: "get" | "post" | "delete";
  /** Parts in braces are variable, as in "/api/v1/experiments/{id}:cancel". */
  readonly path: string;
  readonly summary: string;
  /**
   * The gRPC method that gives the same, such as "ExperimentService/CancelExperiment": who may call
   * that may come here.
   */
  readonly rpc?: string;
  /** Its name in the description where that is not the one of `rpc`. */
  readonly operation?: string;
  readonly query?: z.ZodObject;
  /** Name of the message in the body. */
  readonly body?: string;
  readonly answer: JsonSchema | RawAnswer;
  /** What it returns, where that is a message, is looked into for the audit log. */
  readonly handle: (
    asked: Asked<Record<string, unknown>, unknown>,
    response: Response,
    request: Request,
  ) => unknown;
}

export function message<Message>(
  name: string,
  { fromJSON, toJSON }: Omit<MessageType<Message>, "name">,
): MessageType<Message> {
  return { name, fromJSON, toJSON };
}

/** A route that answers with a message. */
export function messageRoute<Answer, Query extends z.ZodObject, Body>(route: {
  readonly method: Route["method"];
  readonly path: string;
  readonly summary: string;
  readonly rpc: string;
  readonly query?: Query;
  readonly body?: MessageType<Body>;
  readonly answer: MessageType<Answer>;
  readonly handle: (asked: Asked<z.infer<Query>, Body>) => Answer | Promise<Answer>;
}): Route {
  const { answer, body, handle, ...rest } = route;
  return {
    ...rest,
    ...(body ? { body: body.name } : {}),
    answer: { $ref: `#/components/schemas/${answer.name}` },
    handle: async (asked, response) => {
      const message = body?.fromJSON(asked.body) as Body;
      const given = { ...asked, query: asked.query as z.infer<Query>, body: asked.owned(message) };
      const answered = await handle(given);
      response.json(answer.toJSON(answered));
      return answered;
    },
  };
}
