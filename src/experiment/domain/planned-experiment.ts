import { Experiment, State } from "../../generated/stillhouse/v1/experiment.js";
import type { ExperimentSpec } from "../../generated/stillhouse/v1/spec.js";
import { specHash } from "../../settings/hash.js";
import { planTasks } from "./plan.js";
import type { Clock, Ids } from "./ports.js";
import type { ExperimentRecord } from "./record.js";
import { withResult } from "./resulted.js";

export interface PlannerParts {
  readonly clock: Clock;
  readonly ids: Ids;
  /** Part of the cache keys, see `cacheKey`. */
  readonly codeVersion: string;
}

/** The properties of an experiment beside its spec. */
export interface Placement {
  readonly reuseAfter?: Date | undefined;
  readonly owner: string;
  readonly priority: number;
  readonly sweepId?: string;
}

/** A new experiment with its tasks queued. */
export function plannedExperiment(
  { ids, clock, codeVersion }: PlannerParts,
  spec: ExperimentSpec,
  { reuseAfter, owner, priority, sweepId = "" }: Placement,
): ExperimentRecord {
  const id = ids.experiment();
  const tasks = planTasks(spec, id, codeVersion).map((task) => ({ task, numLost: 0 }));
  const experiment = Experiment.fromPartial({
    id,
    spec,
    specHash: specHash(spec),
    state: State.QUEUED,
    createTime: clock.now(),
    owner,
    priority,
    sweepId,
    ...(reuseAfter === undefined ? {} : { reuseAfter }),
  });
  return withResult({ experiment, tasks, cancelRequested: false });
}
