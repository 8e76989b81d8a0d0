import * as messages from "../../../generated/stillhouse/v1/service.js";
import { type HttpPlace, type Method, serviceMethods } from "../../../messages/methods.js";
import { faultOfRequest } from "../../bounded-request.js";
import type { AllUnaryMethods, Answering } from "../../methods.js";
import { reference } from "../proto-schema.js";
import type { Asked, Route } from "../route.js";
import { queryOf } from "./queries.js";

/** The generated code of a message. */
interface MessageCode {
  fromJSON(object: unknown): object;
  toJSON(message: unknown): unknown;
}

/** A route for each method that answers one message with one and has a place on HTTP. */
export function messageRoutes(unary: AllUnaryMethods): Route[] {
  return [...serviceMethods().values()].flatMap((method) => {
    const { http, description } = method;
    if (http === undefined || description.methodKind !== "unary") return [];
    return [messageRoute(method, http, handlerOf(unary, method))];
  });
}

function messageRoute(method: Method, http: HttpPlace, handle: Answering<unknown, unknown>): Route {
  const { input, output, parent, name } = method.description;
  const codes = { request: codeOf(input.name), answer: codeOf(output.name) };
  const parts = [...http.path.matchAll(/\{(\w+)\}/g)].map(([, part = ""]) => part);
  const inPath = input.fields.slice(0, parts.length);
  const others = input.fields.slice(parts.length);
  const query = http.verb === "get" ? queryOf(input.name, others) : undefined;
  const hasBody = http.verb === "post" && others.length > 0;
  const requestOf = ({ path, query: asked, body }: Asked) => ({
    ...(hasBody ? (body as object) : {}),
    ...query?.request(asked),
    ...Object.fromEntries(inPath.map((field, at) => [field.name, path[parts[at] ?? ""]])),
  });
  return {
    ...http,
    rpc: `${parent.name}/${name}`,
    summary: method.comment,
    ...(query ? { query: query.schema } : {}),
    ...(hasBody ? { body: input.name } : {}),
    answer: reference(output.name),
    handle: async (asked, response) => {
      const request = asked.owned(codes.request.fromJSON(requestOf(asked)));
      const fault = faultOfRequest(input.name, request);
      if (fault) throw fault;
      const answer = await handle(request, asked.identity);
      response.json(codes.answer.toJSON(answer));
      return answer;
    },
  };
}

function handlerOf(unary: AllUnaryMethods, method: Method): Answering<unknown, unknown> {
  const { parent, localName } = method.description;
  const service = new Map<string, object>(Object.entries(unary)).get(parent.name) ?? {};
  const handle = new Map(Object.entries(service)).get(localName);
  if (handle === undefined) throw new Error(`no handler answers ${method.path}`);
  return handle;
}

function codeOf(name: string): MessageCode {
  const code: unknown = new Map<string, unknown>(Object.entries(messages)).get(name);
  if (code === undefined) throw new Error(`service.proto defines no message ${name}`);
  return code as MessageCode;
}
