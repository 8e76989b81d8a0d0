import type { DescField } from "@bufbuild/protobuf";
import { ScalarType } from "@bufbuild/protobuf";
import { z } from "zod";
import { State } from "../../../generated/stillhouse/v1/experiment.js";
import { ExperimentOrder } from "../../../generated/stillhouse/v1/service.js";
import { count, named, repeated, text, uint64 } from "../query.js";

/** The query of a method on HTTP, and the request that it stands for, as JSON of the proto. */
export interface Query {
  readonly schema: z.ZodObject;
  readonly request: (query: Readonly<Record<string, unknown>>) => object;
}

/** Queries with other names than the fields of their requests, by the name of the request. */
const OWN_NAMES: Readonly<Record<string, Query>> = {
  ListExperimentsRequest: {
    schema: z.object({
      page_size: count(0, 1000, 100),
      page_token: text.describe("From the previous page, with the same filter and order."),
      state: repeated(named(State)).describe("Any of these."),
      dataset: text,
      model: text,
      owner: text,
      sweep_id: text,
      text: text.describe("Part of the id or the name, in any case."),
      order: named(ExperimentOrder).default(ExperimentOrder.NEWEST_FIRST),
    }),
    request: ({ page_size, page_token, order, state, ...filter }) => ({
      ...{ page_size, page_token, order },
      filter: { ...filter, states: state },
    }),
  },
  CompareExperimentsRequest: {
    schema: z.object({ id: repeated(z.string()).describe("2 to 100 experiments.") }),
    request: ({ id }) => ({ experiment_ids: id }),
  },
  GetMetricSeriesRequest: {
    schema: z.object({
      name: repeated(z.string()).describe("Any of these; none: all metrics."),
      max_points: count(0, 10_000, 0).describe("Most points per series; 0 means 1000."),
      first_step: uint64,
      last_step: uint64.describe("0 for no end."),
    }),
    request: ({ name, ...rest }) => ({ names: name, ...rest }),
  },
};

/** @param fields of the request that are no part of the path */
export function queryOf(request: string, fields: readonly DescField[]): Query {
  const own = OWN_NAMES[request];
  if (own) return own;
  const shape = Object.fromEntries(fields.map((field) => [field.name, parameterOf(field)]));
  return { schema: z.object(shape), request: (query) => query };
}

const MAX_PAGE = 1000;

function parameterOf({ name, fieldKind, scalar, ...field }: DescField): z.ZodType {
  if (name === "page_size") return count(0, MAX_PAGE, 0).describe("0 for the usual number.");
  if (fieldKind === "scalar" && scalar === ScalarType.STRING) return text;
  if (fieldKind === "scalar" && scalar === ScalarType.UINT64) return uint64;
  if (fieldKind === "scalar" && scalar === ScalarType.UINT32) return count(0, 2 ** 32 - 1, 0);
  if (fieldKind === "list" && scalar === ScalarType.STRING) return repeated(z.string());
  throw new Error(`${field.parent.name}.${name} has a type that no query has yet`);
}
