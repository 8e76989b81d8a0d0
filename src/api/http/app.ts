import compression from "compression";
import express, { type Express } from "express";
import { z } from "zod";
import type { Log } from "../../experiment/domain/ports.js";
import { refuseWorkers } from "../../security/access.js";
import { GuardedCall } from "../../security/guarded-call.js";
import { ownRequest, placesCheck } from "../../security/own-request.js";
import type { Security } from "../../security/security.js";
import { failureHandler, noSuchRoute } from "./failures.js";
import { describeRoutes } from "./openapi.js";
import { boundedRate, sameSiteOnly, securityHeaders } from "./protection.js";
import { messageSchemas } from "./proto-schema.js";
import { BodyChecks, checkQuery } from "./request-checks.js";
import type { Route } from "./route.js";
import { dashboardFiles } from "./static-files.js";

/** A resolved spec takes 3 KB. */
const MAX_BODY_BYTES = 1024 * 1024;

export interface HttpAppOptions {
  readonly routes: readonly Route[];
  /** Folder of the built dashboard, which need not exist. */
  readonly dashboard: string;
  readonly version: string;
  readonly log: Log;
  readonly security: Pick<Security, "authenticator" | "limits" | "audit" | "folders">;
  /** Called for each answer that is not a stream. */
  readonly onAnswer: (method: string, route: string, status: number, seconds: number) => void;
  /** Whether the server listens on a loopback address only. */
  readonly isLoopback: boolean;
}

/** The HTTP interface: the routes, their description, and the dashboard for all other paths. */
export function httpApp(options: HttpAppOptions): Express {
  const { log, isLoopback, dashboard } = options;
  const bodies = options.routes.flatMap(({ body }) => body ?? []);
  const schemas = messageSchemas(bodies);
  const routes = [...options.routes, descriptionRoute(options, schemas)];
  const checks = new BodyChecks(schemas);
  const app = express();
  app.disable("x-powered-by");
  app.use(securityHeaders(), sameSiteOnly(isLoopback), boundedRate(), compression());
  app.use("/api", express.json({ limit: MAX_BODY_BYTES }));
  for (const route of routes) {
    const handler = handlerOf(route, checks, options.security);
    app[route.verb](routerPath(route.path), timed(route, options), handler);
  }
  app.use("/api", noSuchRoute);
  app.use(dashboardFiles(dashboard));
  app.use(noSuchRoute, failureHandler(log));
  return app;
}

function descriptionRoute(
  { routes, version }: HttpAppOptions,
  schemas: ReturnType<typeof messageSchemas>,
): Route {
  const route: Route = {
    verb: "get",
    path: "/api/v1/openapi.json",
    summary: "This description.",
    answer: { type: "object" },
    handle: (_asked, response) => {
      response.json(description);
    },
  };
  const description = describeRoutes([...routes, route], schemas, version);
  return route;
}

/** Admits the call, checks its request, and answers it. */
function handlerOf(
  route: Route,
  checks: BodyChecks,
  security: HttpAppOptions["security"],
): express.RequestHandler {
  const query = route.query ?? z.object({});
  const method = route.rpc === undefined ? route.path : `/stillhouse.v1.${route.rpc}`;
  return async (request, response) => {
    response.set("Cache-Control", "no-cache");
    const path = request.params as Record<string, string>;
    const call = new GuardedCall(security, { method, from: request.socket.remoteAddress ?? "" });
    call.about({ experimentId: path.id });
    response.once("close", () => call.endWith("CANCELLED"));
    try {
      const identity = await call.admit(request.get("Authorization"), isStream(route));
      refuseWorkers(identity);
      const body: unknown = request.body;
      if (route.body !== undefined) checks.check(route.body, body);
      const asked = {
        path,
        query: checkQuery(query, request.query),
        body,
        identity,
        owned: <Message>(message: Message) => ownRequest(message, identity, security.folders),
        mayName: placesCheck(identity, security.folders),
      };
      call.about(await route.handle(asked, response, request));
      call.end();
    } catch (error) {
      call.end(error);
      throw error;
    }
  };
}

function isStream({ answer }: Route): boolean {
  return "content" in answer && "text/event-stream" in (answer.content as object);
}

function timed(route: Route, { onAnswer }: HttpAppOptions): express.RequestHandler {
  return (_request, response, next) => {
    const startMs = performance.now();
    response.once("finish", () => {
      if (response.get("Content-Type")?.startsWith("text/event-stream")) return;
      const seconds = (performance.now() - startMs) / 1000;
      onAnswer(route.verb, route.path, response.statusCode, seconds);
    });
    next();
  };
}

/** "/a/{id}:cancel" → "/a/:id\:cancel", as Express writes it. */
function routerPath(path: string): string {
  return path.replaceAll(":", "\\:").replace(/\{(\w+)\}/g, ":$1");
}
