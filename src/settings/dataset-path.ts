import { isAbsolute, parse } from "node:path";
import { invalid } from "../errors.js";
import { type ExperimentSpec, Source } from "../generated/stillhouse/v1/spec.js";

const PATH = /^(~|\.{1,2})?\/|^(~|\.{1,2})$/;

/** Whether the name of a data set is a path. */
export function isDatasetPath(name: string): boolean {
  return PATH.test(name);
}

/**
 * A draft whose data sets are named by their folders and their names there, and are looked for
 * nowhere else, where they were named by a path.
 *
 * @throws StillhouseError INVALID for a path that does not start at the root: nobody knows from where.
 */
export function withDatasetPath(draft: ExperimentSpec): ExperimentSpec {
  const { dataset, objective } = draft;
  const place = placeOf("dataset.name", dataset?.name);
  const source = placeOf("objective.source_name", objective?.sourceName);
  if (place === undefined && source === undefined) return draft;
  return {
    ...draft,
    dataset: dataset && {
      ...dataset,
      ...(place && { name: place.base, dataDir: place.dir, source: Source.LOCAL }),
    },
    objective: objective && {
      ...objective,
      ...(source && { sourceName: source.base, sourceDir: source.dir, source: Source.LOCAL }),
    },
  };
}

/** Folder and name of a data set that is named by a path; undefined for another name. */
function placeOf(field: string, name = ""): { dir: string; base: string } | undefined {
  if (!isDatasetPath(name)) return undefined;
  const { dir, base } = parse(name);
  if (isAbsolute(name) && base !== "" && base !== "..") return { dir, base };
  throw invalid(field, `${field} must be a name or an absolute path, got ${JSON.stringify(name)}`);
}
