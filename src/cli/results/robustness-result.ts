import { OF_SAMPLES } from "../../baselines.js";
import {
  type Experiment,
  State,
  type Task,
  type Variation,
} from "../../generated/stillhouse/v1/experiment.js";
import {
  HARD_LABELS,
  ownLabelsName,
  type RelativeScores,
  relativeScores,
} from "../../results/relative-scores.js";
import { pairedDifference, type Summary } from "../../statistics.js";
import { type Row, resultOf, rowOf } from "./result.js";
import { variationText } from "./variation-text.js";

/** Distilled data under one condition. */
export interface Condition {
  /** Name of the variation; "plain" for the evaluation as distilled. */
  readonly id: string;
  readonly label: string;
  /** Absent where it failed, or has not been measured. */
  readonly row: Row | undefined;
  /** How much better than as distilled, over learners with the same seeds. */
  readonly difference: Summary | null;
  /** Why it failed; null where it did not. */
  readonly failure: string | null;
}

export interface RobustnessResult {
  /** As distilled, then the variations. */
  readonly conditions: readonly Condition[];
  readonly baselines: readonly Row[];
  readonly scores: RelativeScores;
}

const PLAIN = "plain";

/** Puts the results of an experiment on the robustness of distilled data together. */
export function robustnessResult(experiment: Experiment): RobustnessResult {
  const groups = new Map<string, Task[]>();
  for (const task of experiment.tasks) {
    if (task.work?.kind?.$case !== "evaluate") continue;
    const id = variationOf(task)?.name ?? PLAIN;
    groups.set(id, [...(groups.get(id) ?? []), task]);
  }
  const plain = rowOfShards(groups.get(PLAIN) ?? [], experiment);
  const conditions = [...groups].map(([id, tasks]) => condition(id, tasks, experiment, plain));
  const baselines = resultOf(experiment).rows.filter(({ id }) => id !== "distilled");
  const named = (id: string) => conditions.find((entry) => entry.id === id)?.row;
  const baseline = (id: string) => baselines.find((row) => row.id === id);
  const scores = relativeScores({
    full: baseline("full"),
    own: plain,
    hard: named(HARD_LABELS),
    real: new Map(
      OF_SAMPLES.map(({ id }) => id)
        .filter((id) => baseline(id) || named(ownLabelsName(id)))
        .map((id) => [id, { hard: baseline(id), own: named(ownLabelsName(id)) }]),
    ),
  });
  return { conditions, baselines, scores };
}

function condition(
  id: string,
  tasks: readonly Task[],
  experiment: Experiment,
  plain: Row | undefined,
): Condition {
  const [first] = tasks;
  const variation = first && variationOf(first);
  const row = rowOfShards(tasks, experiment);
  const isCompared = row !== undefined && plain !== undefined && id !== PLAIN;
  return {
    id,
    label: variation === undefined ? "as distilled" : variationText(variation),
    row,
    difference: isCompared ? pairedDifference(row.learners, plain.learners) : null,
    failure: failureOf(tasks),
  };
}

/** All shards, or nothing: a part of the learners is another figure. */
function rowOfShards(tasks: readonly Task[], { spec }: Experiment): Row | undefined {
  const results = tasks.flatMap(({ result }) =>
    result?.kind?.$case === "learners" ? [result.kind.value] : [],
  );
  if (results.length === 0 || results.length < tasks.length) return undefined;
  return rowOf("distilled", results, spec);
}

function failureOf(tasks: readonly Task[]): string | null {
  const failed = tasks.find(({ state }) => state === State.FAILED);
  return failed?.failure?.message ?? null;
}

function variationOf(task: Task): Variation | undefined {
  const kind = task.work?.kind;
  return kind?.$case === "evaluate" ? kind.value.variation : undefined;
}
