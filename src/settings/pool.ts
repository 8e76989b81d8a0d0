import { invalid } from "../errors.js";
import { type ExperimentSpec, Init } from "../generated/stillhouse/v1/spec.js";
import { readField, writeField } from "./field-path.js";
import { settingOf } from "./settings.js";

/** The fields that say how the learners of a pool are trained. */
export const POOL_FIELDS = [
  "pool.size",
  "pool.epochs",
  "pool.batch_size",
  "pool.lr",
  "pool.lr_halving_epochs",
];
/** Those that a pool cannot do without. */
const NEEDED = POOL_FIELDS.filter((path) => path !== "pool.lr_halving_epochs");

/** Whether learners start from pretrained ones. */
export function isPooled({ model }: Pick<ExperimentSpec, "model">): boolean {
  return model?.init === Init.POOL;
}

/**
 * Leaves nothing of a pool in a spec without one.
 *
 * @throws StillhouseError INVALID for a draft that says something of a pool but wants none, or
 *   wants one without what it needs
 */
export function fillInPool(spec: ExperimentSpec, draft: ExperimentSpec): void {
  if (isPooled(spec)) {
    const missing = NEEDED.find((path) => !readField(spec, path));
    if (missing === undefined) return;
    throw invalid(missing, `${named(missing)} must be more than 0 with --init pool, got 0`);
  }
  const given = POOL_FIELDS.find((path) => readField(draft, path));
  if (given !== undefined) {
    throw invalid(
      given,
      `${named(given)} needs --init pool: only then are there pretrained learners, got ${readField(draft, given)}`,
    );
  }
  writeNoPool(spec);
}

/** The values of a spec whose learners start from no pool. */
export function writeNoPool(spec: ExperimentSpec): void {
  for (const path of POOL_FIELDS) writeField(spec, path, 0);
}

/**
 * Refuses what a pool does not go with.
 *
 * @throws StillhouseError INVALID
 */
export function checkPool(spec: ExperimentSpec): void {
  if (!isPooled(spec) || spec.robustness === undefined) return;
  throw invalid(
    "robustness",
    "robustness is measured with learners that draw their start, and this data was distilled for " +
      "those of a pool (--init pool)",
  );
}

function named(path: string): string {
  return `--${settingOf(path).flag} (${path})`;
}
