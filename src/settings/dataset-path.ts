import { isAbsolute, parse } from "node:path";
import { invalid } from "../errors.js";
import { type ExperimentSpec, Source } from "../generated/stillhouse/v1/spec.js";

const PATH = /^(~|\.{1,2})?\/|^(~|\.{1,2})$/;

/** Whether the name of a data set is a path. */
export function isDatasetPath(name: string): boolean {
  return PATH.test(name);
}

/**
 * A draft whose data set is named by its folder and its name there, and is looked for nowhere else,
 * where it was named by a path.
 *
 * @throws StillhouseError INVALID for a path that does not start at the root: nobody knows from where.
 */
export function withDatasetPath(draft: ExperimentSpec): ExperimentSpec {
  const { dataset } = draft;
  const name = dataset?.name ?? "";
  if (dataset === undefined || !isDatasetPath(name)) return draft;
  const { dir, base } = parse(name);
  if (!isAbsolute(name) || base === "" || base === "..") {
    throw invalid(
      "dataset.name",
      `dataset.name must be a name or an absolute path, got ${JSON.stringify(name)}`,
    );
  }
  return {
    ...draft,
    dataset: { ...dataset, name: base, dataDir: dir, source: Source.LOCAL },
  };
}
