import { fromFailure, type StillhouseError } from "../../errors.js";
import { type Experiment, Task } from "../../generated/stillhouse/v1/experiment.js";
import {
  Description,
  type ResolveExperimentResponse,
} from "../../generated/stillhouse/v1/service.js";
import { ExperimentSpec } from "../../generated/stillhouse/v1/spec.js";
import { rowOverSeeds, type SeedRow } from "../../results/distillations.js";
import type { Row } from "../../results/rows.js";
import { taskName } from "../../results/task-names.js";
import type { Summary } from "../../statistics.js";
import { resultOf } from "./result.js";

/** The result as one JSON document, for `--json`. Messages are in proto3 JSON, with proto names. */
export function resultDocument(experiment: Experiment, artifactPath: string): object {
  const { rows, ratioToFull, gapClosed, distillation } = resultOf(experiment);
  return {
    experiment_id: experiment.id,
    spec: specJson(experiment.spec),
    rows: rows.map(rowDocument),
    ratio_to_full: ratioToFull,
    ...(gapClosed === null ? {} : { gap_closed: gapClosed }),
    artifact: artifactPath === "" ? null : artifactPath,
    kept_step: distillation?.keptStep ?? null,
    validation_accuracy: distillation?.validationAccuracy ?? null,
    spec_hash: experiment.specHash,
    tasks: experiment.tasks.map((task) => ({
      id: task.id,
      name: taskName(task, experiment.spec),
      wall_time_s: task.result?.wallTimeS ?? null,
      cpu_time_s: task.result?.cpuTimeS ?? null,
      reused: task.reused,
    })),
  };
}

/** An experiment of a group: its result, or its failure where it has failed. */
export function memberDocument(experiment: Experiment, artifactPath: string): object {
  const { failure, id } = experiment;
  return failure === undefined
    ? resultDocument(experiment, artifactPath)
    : failureDocument(fromFailure(failure), id);
}

/** One row of a table of results. */
export function rowDocument(row: Row): object {
  return {
    id: row.id,
    variant: row.variant,
    label: row.label,
    train_samples: row.trainSamples,
    gd_steps: row.gdSteps,
    accuracy: summaryDocument(row.accuracy),
    macro_f1: row.macroF1,
    loss: row.loss,
    chosen_lr: row.chosenLr,
    train_time_s: row.trainTimeS,
    stored_bytes: row.storedBytes,
    joules: row.joules,
    confusion: row.confusion,
    ...(row.attack === null
      ? {}
      : {
          attack: {
            success: summaryDocument(row.attack.success),
            others: summaryDocument(row.attack.others),
            obedience: summaryDocument(row.attack.obedience),
          },
        }),
  };
}

/** A row over its seeds, with both of its spreads. */
export function overSeedsDocument(seeds: readonly [SeedRow, ...SeedRow[]]): object {
  const { id, label, spread } = rowOverSeeds(seeds);
  return {
    id,
    label,
    seeds: seeds.map(({ seed }) => seed),
    learners: summaryDocument(spread.learners),
    distillations: summaryDocument(spread.distillations),
  };
}

export function summaryDocument({ mean, std, n, interval95 }: Summary): object {
  return { mean, std, n, interval_95: interval95 };
}

/** What a dry run shows: the resolved spec and its tasks. */
export function planDocument({ spec, tasks, description }: ResolveExperimentResponse): object {
  return {
    spec: specJson(spec),
    tasks: tasks.map((task) => Task.toJSON(task)),
    description: description === undefined ? null : Description.toJSON(description),
  };
}

/** A failure as one JSON document, with the experiment's id for resuming it. */
export function failureDocument(error: StillhouseError, experimentId?: string): object {
  const { kind, message, field } = error;
  return {
    error: { kind: kind.replace(/^FAILURE_KIND_/, "").toLowerCase(), message, field },
    ...(experimentId === undefined ? {} : { experiment_id: experimentId }),
  };
}

function specJson(spec: ExperimentSpec | undefined): unknown {
  return spec === undefined ? null : ExperimentSpec.toJSON(spec);
}
