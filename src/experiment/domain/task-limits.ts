import { invalid } from "../../errors.js";
import type { ExperimentSpec } from "../../generated/stillhouse/v1/spec.js";
import { settingOf } from "../../settings/settings.js";
import { countTasks } from "./plan.js";

/**
 * Most tasks of an experiment: each of its changes is computed over all of them, and a client gets
 * all of them in one message.
 */
export const MAX_TASKS_PER_EXPERIMENT = 2_000;
/** A task takes about 6 KB of memory until its experiment has ended. */
export const MAX_TASKS_PER_SWEEP = 50_000;

/**
 * @param spec resolved
 * @returns how many tasks it makes
 * @throws INVALID where these are too many for an experiment
 */
export function requireFewTasks(spec: ExperimentSpec): number {
  const count = countTasks(spec);
  if (count <= MAX_TASKS_PER_EXPERIMENT) return count;
  const path = "evaluation.inits";
  const inits = spec.evaluation?.inits ?? 0;
  throw invalid(
    path,
    `--${settingOf(path).flag} (${path}) must be lower: with ${inits} this experiment has ${count} tasks, ` +
      `and it may have at most ${MAX_TASKS_PER_EXPERIMENT}`,
  );
}

/**
 * @param specs resolved, of one sweep
 * @returns how many tasks they make
 * @throws INVALID where these are too many for an experiment or for a sweep
 */
export function requireFewTasksInAll(specs: readonly ExperimentSpec[]): number {
  const count = specs.reduce((sum, spec) => sum + requireFewTasks(spec), 0);
  if (count <= MAX_TASKS_PER_SWEEP) return count;
  throw invalid(
    "specs",
    `specs must make at most ${MAX_TASKS_PER_SWEEP} tasks in one sweep, got ${specs.length} specs with ${count} tasks; make several sweeps`,
  );
}
