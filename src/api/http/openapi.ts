import { z } from "zod";
import { ERROR_SCHEMA } from "./failures.js";
import { type JsonSchema, reference } from "./proto-schema.js";
import type { RawAnswer, Route } from "./route.js";

const PATH_PART = /\{(\w+)\}/g;

/** The HTTP interface as OpenAPI 3.1: every route, and the messages that they take and give. */
export function describeRoutes(
  routes: readonly Route[],
  schemas: Readonly<Record<string, JsonSchema>>,
  version: string,
): JsonSchema {
  const paths: Record<string, Record<string, JsonSchema>> = {};
  for (const route of routes) {
    const path = paths[route.path] ?? {};
    paths[route.path] = path;
    path[route.verb] = operation(route);
  }
  return {
    openapi: "3.1.0",
    info: {
      title: "Stillhouse",
      version,
      description:
        "The gRPC interface stillhouse.v1 over HTTP. Fields have the names of the protos; one " +
        "that has its default value may be absent.",
      license: { name: "Apache-2.0", identifier: "Apache-2.0" },
    },
    servers: [{ url: "/" }],
    paths,
    components: {
      schemas: { ...schemas, Error: ERROR_SCHEMA },
      securitySchemes: { token: { type: "http", scheme: "bearer" } },
    },
    // A token, or none where the control plane asks for none.
    security: [{ token: [] }, {}],
  };
}

function operation(route: Route): JsonSchema {
  const parameters = [...pathParameters(route.path), ...queryParameters(route.query)];
  return {
    operationId: operationId(route),
    summary: route.summary,
    ...(parameters.length > 0 ? { parameters } : {}),
    ...(route.body === undefined
      ? {}
      : { requestBody: { required: true, content: json(reference(route.body)) } }),
    responses: {
      ...answers(route.answer),
      default: { description: "The error.", content: json(reference("Error")) },
    },
  };
}

/** "ExperimentService/CancelExperiment" → "cancelExperiment"; "/api/v1/whoami" → "getWhoami". */
function operationId({ operation, rpc, verb, path }: Route): string {
  if (operation !== undefined) return operation;
  const name = rpc?.split("/").at(-1);
  if (name !== undefined) return name.slice(0, 1).toLowerCase() + name.slice(1);
  const words = path.replace("/api/v1", "").split(/\W+/).filter(Boolean);
  return verb + words.map((word) => word.slice(0, 1).toUpperCase() + word.slice(1)).join("");
}

function answers(answer: Route["answer"]): JsonSchema {
  if (!isRaw(answer)) return { 200: { description: "The answer.", content: json(answer) } };
  const content = Object.fromEntries(
    Object.entries(answer.content).map(([type, schema]) => [type, { schema }]),
  );
  const others = Object.entries(answer.statuses ?? {}).map(([status, description]) => [
    status,
    { description },
  ]);
  return { 200: { description: "The answer.", content }, ...Object.fromEntries(others) };
}

function isRaw(answer: Route["answer"]): answer is RawAnswer {
  return "content" in answer;
}

function json(schema: JsonSchema): JsonSchema {
  return { "application/json": { schema } };
}

function pathParameters(path: string): JsonSchema[] {
  return [...path.matchAll(PATH_PART)].map(([, name]) => ({
    name,
    in: "path",
    required: true,
    schema: { type: "string" },
  }));
}

function queryParameters(query: z.ZodObject | undefined): JsonSchema[] {
  if (query === undefined) return [];
  const { properties = {}, required = [] } = z.toJSONSchema(query, { io: "output" });
  return Object.entries(properties).map(([name, schema]) => {
    const { description, default: fallback, ...rest } = schema as Record<string, unknown>;
    const isOptional = fallback !== undefined || !required.includes(name);
    return {
      name,
      in: "query",
      required: !isOptional,
      ...(description === undefined ? {} : { description }),
      schema: fallback === undefined ? rest : { ...rest, default: fallback },
    };
  });
}
