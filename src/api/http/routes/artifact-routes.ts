import { extname } from "node:path";
import type { Response } from "express";
import { z } from "zod";
import type { ArtifactStore, ExperimentStore } from "../../../experiment/domain/storage-ports.js";
import { artifactFile } from "../../../experiment/services/artifact-download.js";
import type { Inspections } from "../../../experiment/services/inspections.js";
import type { ArtifactFile } from "../../../generated/stillhouse/v1/experiment.js";
import { httpPlaceOf } from "../../../messages/methods.js";
import type { JsonSchema } from "../proto-schema.js";
import { count } from "../query.js";
import type { Route } from "../route.js";

const DEFAULT_TOP = 8;
const MAX_TOP = 50;

const numbers = (depth: number): JsonSchema =>
  depth === 0 ? { type: "number" } : { type: "array", items: numbers(depth - 1) };

/** What other tools may rely on; there may be more fields. */
const INSPECTION: JsonSchema = {
  type: "object",
  required: ["model", "dataset", "class_names", "learning_rates", "samples"],
  properties: {
    model: { type: "string" },
    dataset: { type: "string" },
    class_names: { type: "array", items: { type: "string" } },
    learning_rates: numbers(1),
    encoder_lr_scale: {
      description: "The encoder's rate over these; null where both have one.",
      type: ["number", "null"],
    },
    sheet: {
      description: "Of images: all samples with their labels, as a data address of a PNG.",
      type: "string",
    },
    samples: {
      type: "array",
      items: {
        type: "object",
        required: ["class_name", "labels", "positions", "attention"],
        properties: {
          class_name: { description: "Its class at the start.", type: "string" },
          block: { description: "Number of its block, from 1.", type: "integer" },
          image: { description: "Of images: a data address of a PNG.", type: "string" },
          labels: numbers(1),
          positions: {
            description: "By position the nearest tokens, the nearest first: token and cosine.",
            type: "array",
            items: {
              type: "array",
              items: { type: "array", prefixItems: [{ type: "string" }, { type: "number" }] },
            },
          },
          attention: {
            description: "By layer, head and key; of the first token. Null without such labels.",
            anyOf: [numbers(3), { type: "null" }],
          },
        },
      },
    },
  },
};

export interface ArtifactParts {
  readonly store: Pick<ExperimentStore, "findArtifact">;
  readonly artifacts: Pick<ArtifactStore, "pathOf">;
  readonly inspections: Inspections;
}

/** The files of artifacts, and inspections of them. */
export function artifactRoutes({ store, artifacts, inspections }: ArtifactParts): Route[] {
  return [
    {
      ...httpPlaceOf("ArtifactService/DownloadArtifact"),
      rpc: "ArtifactService/DownloadArtifact",
      summary: "A file of an artifact, or the part that the header Range names.",
      answer: {
        content: { "application/octet-stream": {}, "application/json": {} },
        statuses: {
          206: "The part that was asked for.",
          304: "It is the one that the client has.",
          416: "The file has no such part.",
        },
      },
      handle: async ({ path: { id = "", name = "" } }, response) => {
        await sendFile(response, artifacts.pathOf(id), artifactFile(store, id, name));
      },
    },
    {
      verb: "get",
      path: "/api/v1/artifacts/{id}/inspection",
      rpc: "ArtifactService/DownloadArtifact",
      operation: "inspectArtifact",
      summary: "The content of distilled data: nearest tokens, labels, attention, rates.",
      query: z.object({
        top: count(1, MAX_TOP, DEFAULT_TOP).describe("Nearest tokens per position."),
      }),
      answer: INSPECTION,
      handle: async ({ path: { id = "" }, query, mayName }, response) => {
        response.json(await inspections.inspect(id, Number(query.top), mayName));
      },
    },
  ];
}

/** Whole or in part, as the headers of the request ask; the hash of the file is its ETag. */
function sendFile(response: Response, root: string, file: ArtifactFile): Promise<void> {
  const isJson = extname(file.name) === ".json";
  const options = {
    root,
    etag: false,
    lastModified: false,
    cacheControl: false,
    headers: {
      ETag: `"${file.sha256}"`,
      // What compresses would change the bytes that ETag and Range speak of.
      "Cache-Control": "private, no-cache, no-transform",
      "Content-Type": isJson ? "application/json" : "application/octet-stream",
      "Content-Disposition": `attachment; filename="${file.name}"`,
    },
  };
  return new Promise((resolve, reject) => {
    response.sendFile(file.name, options, (error?: Error & { code?: string }) => {
      // A client that goes away in the middle is no error of ours.
      if (error && error.code !== "ECONNABORTED") reject(error);
      else resolve();
    });
  });
}
