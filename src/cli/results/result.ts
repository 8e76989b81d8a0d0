import { BASELINE_IDS, type BaselineId, baselineOfId, baselineOfKind } from "../../baselines.js";
import type {
  DistillResult,
  Experiment,
  LearnerResult,
  Task,
} from "../../generated/stillhouse/v1/experiment.js";
import {
  AttentionLabels,
  type ExperimentSpec,
  Init,
  Labels,
} from "../../generated/stillhouse/v1/spec.js";
import { FRACTIONS, meanOf, type Summary, summarise } from "../../statistics.js";

export type RowId = BaselineId | "distilled";

/** One line of the table of results. */
export interface Row {
  id: RowId;
  /** Label kinds of the distilled data, such as "unrestricted + cls"; empty for a baseline. */
  variant: string;
  label: string;
  trainSamples: number;
  gdSteps: number;
  /** As fractions. */
  accuracy: Summary;
  /** Accuracy by init seed. */
  learners: ReadonlyMap<string, number>;
  macroF1: number;
  /** Mean cross-entropy on the test split, in nats. */
  loss: number;
  /** Rate that was chosen on validation; null where none was searched. */
  chosenLr: number | null;
  /** Mean time from the opened data to the trained learner; null where it was not taken. */
  trainTimeS: number | null;
  /** Test rows by true and by predicted class, over all learners; null where not counted. */
  confusion: number[][] | null;
}

export interface ExperimentResult {
  rows: Row[];
  /** Mean accuracy of the distilled data over that of the full data; null without the latter. */
  ratioToFull: number | null;
  distillation: DistillResult | undefined;
}

/** Rows are shown in this order. */
const ROW_ORDER: readonly RowId[] = [...BASELINE_IDS, "distilled"];

/** Puts the results of an experiment's tasks together; tasks without a result add nothing. */
export function resultOf(experiment: Experiment): ExperimentResult {
  const { spec, tasks } = experiment;
  const rows = ROW_ORDER.flatMap((id) => {
    const results = tasks.filter((task) => rowIdOf(task) === id).flatMap(learnerResults);
    return results.length === 0 ? [] : [rowOf(id, results, spec)];
  });
  const mean = (id: RowId) => rows.find((row) => row.id === id)?.accuracy.mean;
  const [distilled, full] = [mean("distilled"), mean("full")];
  return {
    rows,
    ratioToFull: distilled !== undefined && full ? distilled / full : null,
    distillation: tasks.map(distillResult).find((result) => result !== undefined),
  };
}

/** Label kinds in the study's words: "none", "restricted", "unrestricted + cls", … */
export function variantOf(spec: ExperimentSpec | undefined): string {
  const { soft, attention } = labelKinds(spec);
  return attention === undefined ? (soft ?? "none") : `${soft ?? "none"} + ${attention}`;
}

/** The row's name in the study's words, such as "Distilled data + SL unrestricted + AL cls". */
export function distilledLabel(spec: ExperimentSpec | undefined): string {
  const { soft, attention } = labelKinds(spec);
  const init = spec?.model?.init === Init.FIXED ? " (fixed init)" : "";
  return [
    `Distilled data${init}`,
    ...(soft === undefined ? [] : [`SL ${soft}`]),
    ...(attention === undefined ? [] : [`AL ${attention}`]),
  ].join(" + ");
}

/** What tells distilled data from other of the same study: "SL restricted + AL cls, 3 steps". */
export function shortLabel(spec: ExperimentSpec | undefined): string {
  const { soft, attention } = labelKinds(spec);
  const steps = spec?.inner?.steps ?? 1;
  const kinds = [
    ...(soft === undefined ? [] : [`SL ${soft}`]),
    ...(attention === undefined ? [] : [`AL ${attention}`]),
  ];
  return [
    kinds.join(" + ") || "hard labels",
    ...(spec?.model?.init === Init.FIXED ? ["fixed init"] : []),
    ...(steps === 1 ? [] : [`${steps} steps`]),
  ].join(", ");
}

function labelKinds(spec: ExperimentSpec | undefined) {
  const soft: Partial<Record<Labels, string>> = {
    [Labels.RESTRICTED]: "restricted",
    [Labels.UNRESTRICTED]: "unrestricted",
  };
  const attention: Partial<Record<AttentionLabels, string>> = {
    [AttentionLabels.CLS]: "cls",
    [AttentionLabels.ALL]: "all",
  };
  const { labels, attentionLabels } = spec?.distilled ?? {};
  return {
    soft: labels && soft[labels],
    attention: attentionLabels && attention[attentionLabels],
  };
}

function rowIdOf(task: Task): RowId | undefined {
  const kind = task.work?.kind;
  if (kind?.$case === "evaluate") return kind.value.variation ? undefined : "distilled";
  return kind?.$case === "baseline" ? baselineOfKind(kind.value.kind)?.id : undefined;
}

function learnerResults(task: Task): LearnerResult[] {
  const kind = task.result?.kind;
  return kind?.$case === "learners" ? [kind.value] : [];
}

function distillResult(task: Task): DistillResult | undefined {
  const kind = task.result?.kind;
  return kind?.$case === "distill" ? kind.value : undefined;
}

/** Shards of an evaluation differ in their init seeds only. */
export function rowOf(id: RowId, shards: LearnerResult[], spec: ExperimentSpec | undefined): Row {
  const inits = shards.flatMap((shard) => shard.inits);
  const baseline = baselineOfId(id);
  const [first] = shards;
  return {
    id,
    variant: baseline === undefined ? variantOf(spec) : "",
    label: baseline?.label ?? distilledLabel(spec),
    trainSamples: first?.trainSamples ?? 0,
    gdSteps: first?.gdSteps ?? 0,
    accuracy: summarise(
      inits.map((init) => init.accuracy),
      FRACTIONS,
    ),
    learners: new Map(inits.map((init) => [String(init.initSeed), init.accuracy])),
    macroF1: meanOf(inits.map((init) => init.macroF1)),
    loss: meanOf(inits.map((init) => init.loss)),
    chosenLr: first?.chosenLr || null,
    trainTimeS: meanOf(inits.map((init) => init.trainTimeS)) || null,
    confusion: confusionOf(inits.map((init) => init.confusion)),
  };
}

/** The sum of confusion matrices, each row after row; null where one is missing. */
export function confusionOf(matrices: readonly (readonly number[])[]): number[][] | null {
  const size = Math.sqrt(matrices[0]?.length ?? 0);
  if (size === 0 || matrices.some((matrix) => matrix.length !== size ** 2)) return null;
  return Array.from({ length: size }, (_, truth) =>
    Array.from({ length: size }, (_, predicted) =>
      matrices.reduce((sum, matrix) => sum + (matrix[truth * size + predicted] ?? 0), 0),
    ),
  );
}
