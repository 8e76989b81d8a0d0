import assert from "node:assert/strict";
import { Agent, request } from "node:http";
import fc from "fast-check";
import { ExperimentSpec } from "../../src/generated/stillhouse/v1/spec.js";
import { resolvedSpec } from "../fixtures/experiments.js";
import { CASE_LIMIT_MS, parametersOf, type Target, withPlane } from "./target.js";

const text = fc.string({ unit: "binary", maxLength: 60 });
const segment = fc.oneof(
  text.map(encoded),
  fc.constantFrom("..%2f..%2fetc%2fpasswd", "%00", "%zz", "%ff", "a".repeat(3_000), "-1", "x1"),
);
const query = fc.array(
  fc.tuple(
    fc.constantFrom(
      "page_size",
      "page_token",
      "state",
      "order",
      "text",
      "id",
      "after",
      "name",
      "top",
      "max_points",
    ),
    fc.oneof(
      text.map(encoded),
      fc.integer().map(String),
      fc.constantFrom("STATE_QUEUED", "%", "NaN", "1e99"),
    ),
  ),
  { maxLength: 4 },
);
const body = fc.oneof(
  fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes)),
  fc.json().map((json) => Buffer.from(json)),
  fc.jsonValue().map((spec) => Buffer.from(JSON.stringify({ spec, draft: spec, requestId: spec }))),
  fc.constant(
    Buffer.from(JSON.stringify({ draft: ExperimentSpec.toJSON(resolvedSpec()) }).slice(0, -40)),
  ),
  fc.constant(Buffer.from("[".repeat(20_000))),
);
const headers = fc.record({
  "content-type": fc.constantFrom(
    "application/json",
    "text/plain",
    "application/json; charset=utf-99",
    "multipart/form-data",
  ),
  "last-event-id": fc.constantFrom("", "3", "-1", "x", "9".repeat(40)),
  range: fc.constantFrom(
    "bytes=0-1",
    "bytes=9-1",
    "bytes=-",
    "lines=1-2",
    `bytes=${"9".repeat(30)}-`,
  ),
  "content-encoding": fc.constantFrom("identity", "gzip", "br", "made-up"),
});

interface Route {
  readonly method: string;
  readonly path: string;
}

interface Answer {
  readonly status: number;
  readonly contentType: string;
  readonly content: string;
}

/** Every request is answered; a refusal is the caller's fault, and has the form of all errors. */
export const fuzzHttp: Target = (extent) =>
  withPlane(extent, async (plane, fed) => {
    const agent = new Agent({ keepAlive: true });
    const routes = await routesOf(plane.httpAddress);
    const drawn = fc.record({
      route: fc.constantFrom(...routes),
      method: fc.option(fc.constantFrom("GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"), {
        freq: 8,
      }),
      segment,
      /** Used instead of the route's path. */
      path: fc.option(
        text.map((path) => `/${encoded(path)}`),
        { freq: 8 },
      ),
      query,
      headers: fc.oneof(fc.constant({ "content-type": "application/json" }), headers),
      body,
    });
    const property = fc.asyncProperty(drawn, async (each) => {
      const path = each.path ?? each.route.path.replace(/\{\w+\}/g, () => each.segment);
      const search = each.query.map(([name, value]) => `${name}=${value}`).join("&");
      const method = each.method ?? each.route.method;
      const url = `${plane.httpAddress}${path}${search === "" ? "" : `?${search}`}`;
      const answer = await ask(agent, url, method, each.headers, each.body);
      await fed();
      assert.ok(
        answer.status < 500 || isEnvironment(answer),
        `${answer.status}: ${answer.content}`,
      );
      assert.doesNotMatch(answer.content, /\n\s+at .*:\d+:\d+/, "a stack is shown");
      // Outside the API a text for people is enough.
      const isApi = path.startsWith("/api/") && answer.contentType !== "";
      if (answer.status < 400 || !isApi) return;
      const { error } = JSON.parse(answer.content) as { error: Record<string, unknown> };
      assert.deepEqual(Object.keys(error), ["kind", "message", "field", "retryable"]);
    });
    try {
      await fc.assert(property, parametersOf(extent));
    } finally {
      agent.destroy();
    }
  });

/** Requests that need Python fail with this kind, since this control plane has none. */
function isEnvironment({ content }: Answer): boolean {
  return content.includes("FAILURE_KIND_ENVIRONMENT");
}

async function routesOf(address: string): Promise<Route[]> {
  const response = await fetch(`${address}/api/v1/openapi.json`);
  const { paths } = (await response.json()) as { paths: Record<string, Record<string, unknown>> };
  const described = Object.entries(paths).flatMap(([path, methods]) =>
    Object.keys(methods).map((method) => ({ method: method.toUpperCase(), path })),
  );
  return [...described, ...["/healthz", "/readyz", "/metrics", "/"].map(getOf)];
}

function getOf(path: string): Route {
  return { method: "GET", path };
}

/** Sends a request; a stream of events is closed as soon as it begins. */
function ask(
  agent: Agent,
  url: string,
  method: string,
  headers: Record<string, string>,
  content: Buffer,
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const options = { agent, method, headers, timeout: CASE_LIMIT_MS };
    const sent = request(url, options, (response) => {
      const { statusCode: status = 0 } = response;
      const contentType = response.headers["content-type"] ?? "";
      if (contentType.includes("text/event-stream")) {
        response.destroy();
        resolve({ status, contentType, content: "" });
        return;
      }
      let text = "";
      response.setEncoding("utf8");
      response.on("data", (part: string) => {
        text += part;
      });
      response.on("error", reject);
      response.on("end", () => resolve({ status, contentType, content: text }));
    });
    sent.on("timeout", () => sent.destroy(new Error(`no answer within ${CASE_LIMIT_MS} ms`)));
    sent.on("error", (error: NodeJS.ErrnoException) => {
      // A server that refuses a body may close the connection while the client still sends it.
      if (error.code === "EPIPE" || error.code === "ECONNRESET") {
        resolve({ status: 400, contentType: "", content: "" });
      } else reject(error);
    });
    if (method === "GET" || method === "HEAD") sent.end();
    else sent.end(content);
  });
}

/** Goes through a buffer, since a lone surrogate has no encoding. */
function encoded(raw: string): string {
  return encodeURIComponent(Buffer.from(raw).toString());
}
