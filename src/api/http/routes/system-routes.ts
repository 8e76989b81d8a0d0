import { z } from "zod";
import type { StillhouseError } from "../../../errors.js";
import { sendFailure } from "../failures.js";
import type { JsonSchema } from "../proto-schema.js";
import type { Route } from "../route.js";
import { settingsDocument, settingsSchema } from "../settings-document.js";

/** All measurements in the text format of Prometheus. */
export interface Measurements {
  readonly contentType: string;
  text(): Promise<string>;
}

const ALIVE: JsonSchema = {
  type: "object",
  properties: { status: { const: "ok" } },
  required: ["status"],
  additionalProperties: false,
};

/**
 * What is asked about the control plane itself.
 *
 * @param refusal why it takes no requests at present; undefined when it does
 */
export function systemRoutes(
  refusal: () => StillhouseError | undefined,
  telemetry: Measurements,
): Route[] {
  return [
    ...clientRoutes(),
    ...healthRoutes(refusal),
    {
      verb: "get",
      path: "/metrics",
      summary: "Measurements for Prometheus.",
      answer: { content: { "text/plain": { type: "string" } } },
      handle: async (_asked, response) => {
        const text = await telemetry.text();
        response.set("Content-Type", telemetry.contentType).send(text);
      },
    },
  ];
}

function clientRoutes(): Route[] {
  return [
    {
      verb: "get",
      path: "/api/v1/settings",
      summary: "Every setting of an experiment: its flag, its range, its defaults, what it does.",
      answer: z.toJSONSchema(settingsSchema) as JsonSchema,
      handle: (_asked, response) => {
        response.json(settingsDocument());
      },
    },
    {
      verb: "get",
      path: "/api/v1/whoami",
      summary: "The identity of the caller.",
      answer: {
        type: "object",
        properties: {
          name: { type: "string" },
          role: { enum: ["read", "submit", "admin", "worker"] },
          authentication: { enum: ["none", "session", "token"] },
        },
        required: ["name", "role", "authentication"],
        additionalProperties: false,
      },
      handle: ({ identity: { name, role, authentication } }, response) => {
        response.json({ name, role, authentication });
      },
    },
  ];
}

/** @param refusal see `systemRoutes` */
function healthRoutes(refusal: () => StillhouseError | undefined): Route[] {
  return [
    {
      verb: "get",
      path: "/healthz",
      summary: "Whether the process is alive.",
      answer: ALIVE,
      handle: (_asked, response) => {
        response.json({ status: "ok" });
      },
    },
    {
      verb: "get",
      path: "/readyz",
      summary:
        "Whether requests are accepted; not while it stops, or when it cannot store anything.",
      answer: ALIVE,
      handle: (_asked, response) => {
        const reason = refusal();
        if (reason) sendFailure(response, reason, 503);
        else response.json({ status: "ok" });
      },
    },
  ];
}
