import { BASELINE_IDS, baselineOfKind } from "../baselines.js";
import type { LearnerResult, Task, TaskResult } from "../generated/stillhouse/v1/experiment.js";
import {
  type DistillationSummary,
  ExperimentResult,
  ResultKind,
  ResultRow,
  ResultState,
} from "../generated/stillhouse/v1/result.js";
import type { ExperimentSpec, ReplaySpec } from "../generated/stillhouse/v1/spec.js";
import { FRACTIONS, meanOf, pairedDifference, summarise } from "../statistics.js";
import { attackFigures } from "./attack-figures.js";
import { sumOfMatrices } from "./confusion.js";
import { replayFigures, replayRows } from "./replay-result.js";
import { rowFrame } from "./row-frame.js";
import { learnersBySeed } from "./rows.js";
import { relativeScoresOf, summaryMessage } from "./score-message.js";
import { baselineLabel, distilledLabel, isPooled, variantOf } from "./spec-labels.js";
import { variationText } from "./variation-text.js";

const DISTILLED = "distilled";

/** The work of a task that tests learners. */
type Learners = Extract<
  NonNullable<NonNullable<Task["work"]>["kind"]>,
  { $case: "evaluate" | "baseline" }
>;

/**
 * The result of an experiment so far: the only place that combines the results of its tasks.
 *
 * @param tasks of the experiment, also those that have not begun
 */
export function experimentResult(
  spec: ExperimentSpec | undefined,
  tasks: readonly Task[],
): ExperimentResult {
  if (spec?.replay) return replayResult(spec.replay, tasks);
  const rows = withDifferences(rowsOf(spec, tasks));
  const mean = (id: string) => rows.find((row) => row.id === id)?.accuracy?.mean;
  const [distilled, full, before] = [mean(DISTILLED), mean("full"), mean("untrained")];
  return {
    rows,
    ratioToFull: distilled !== undefined && full ? distilled / full : undefined,
    gapClosed: isPooled(spec) ? shareOfGap(distilled, before, full) : undefined,
    distillation: distillationOf(tasks),
    relativeScores: spec?.robustness && relativeScoresOf(rows.filter(isComplete)),
    replay: [],
  };
}

/** Continual learning has figures of its own. */
function replayResult(replay: ReplaySpec, tasks: readonly Task[]): ExperimentResult {
  return ExperimentResult.fromPartial({
    rows: replayRows(replay, tasks),
    replay: replayFigures(replay, tasks),
  });
}

function shareOfGap(
  reached: number | undefined,
  before: number | undefined,
  full: number | undefined,
): number | undefined {
  if (reached === undefined || before === undefined || full === undefined) return undefined;
  return full > before ? (reached - before) / (full - before) : undefined;
}

/** Shards of an evaluation belong to one row. A variation may be called as a baseline is. */
function rowsOf(spec: ExperimentSpec | undefined, tasks: readonly Task[]): ResultRow[] {
  const isBaseline = ({ work }: Task) => work?.kind?.$case === "baseline";
  const baselines = groupedBy(tasks.filter(isBaseline), rowIdOf);
  const others = groupedBy(
    tasks.filter((task) => !isBaseline(task)),
    rowIdOf,
  );
  // Baselines are shown first, as in the tables of the study, whenever they are dispatched.
  const inOrder = BASELINE_IDS.map((id) => [id, baselines.get(id)] as const);
  return [...inOrder, ...others].flatMap(([id, ofRow]) =>
    id === undefined || ofRow === undefined ? [] : [rowOf(id, ofRow, spec)],
  );
}

function groupedBy<Item, Key>(
  items: readonly Item[],
  keyOf: (item: Item) => Key,
): Map<Key, Item[]> {
  const groups = new Map<Key, Item[]>();
  for (const item of items) {
    const key = keyOf(item);
    groups.set(key, [...(groups.get(key) ?? []), item]);
  }
  return groups;
}

function rowIdOf({ work }: Task): string | undefined {
  const kind = work?.kind;
  if (kind?.$case === "evaluate") return kind.value.variation?.name ?? DISTILLED;
  return kind?.$case === "baseline" ? baselineOfKind(kind.value.kind)?.id : undefined;
}

function rowOf(id: string, tasks: readonly Task[], spec: ExperimentSpec | undefined): ResultRow {
  const shards = tasks.flatMap(({ result }) => learnersOf(result));
  const inits = shards.flatMap((shard) => shard.inits);
  return ResultRow.fromPartial({
    id,
    ...namesOf(tasks[0]?.work?.kind as Learners, spec),
    ...rowFrame(tasks, shards.length),
    initSeeds: inits.map(({ initSeed }) => initSeed),
    accuracies: inits.map(({ accuracy }) => accuracy),
    ...(inits.length === 0 ? {} : figuresOf(shards)),
    attack: attackFigures(spec, inits),
  });
}

function namesOf(kind: Learners, spec: ExperimentSpec | undefined): Partial<ResultRow> {
  if (kind.$case === "baseline") {
    return { kind: ResultKind.BASELINE, label: baselineLabel(kind.value.kind, spec) };
  }
  const { variation } = kind.value;
  const [label, variant] = [distilledLabel(spec), variantOf(spec)];
  if (variation === undefined) {
    return { kind: ResultKind.DISTILLED, label, variant, condition: "as distilled" };
  }
  const condition = variationText(variation);
  return { kind: ResultKind.VARIATION, label: `${label}, ${condition}`, variant, condition };
}

function figuresOf(shards: readonly LearnerResult[]): Partial<ResultRow> {
  const [first] = shards;
  const inits = shards.flatMap((shard) => shard.inits);
  const trainTimeS = meanOf(inits.map((init) => init.trainTimeS));
  const accuracies = inits.map(({ accuracy }) => accuracy);
  return {
    accuracy: summaryMessage(summarise(accuracies, FRACTIONS)),
    macroF1: meanOf(inits.map((init) => init.macroF1)),
    loss: meanOf(inits.map((init) => init.loss)),
    trainSamples: first?.trainSamples ?? 0,
    gdSteps: first?.gdSteps ?? 0,
    // Both are 0 in results that were stored before they were measured.
    chosenLr: first?.chosenLr || undefined,
    trainTimeS: trainTimeS || undefined,
    storedBytes: Number(first?.storedBytes ?? 0) || undefined,
    confusion: sumOfMatrices(inits.map((init) => init.confusion)) ?? [],
  };
}

/**
 * Adds to each variation its difference to "as distilled", once all learners of both are tested.
 */
function withDifferences(rows: readonly ResultRow[]): ResultRow[] {
  const plain = rows.find(({ kind }) => kind === ResultKind.DISTILLED);
  return rows.map((row) => {
    const isCompared = row.kind === ResultKind.VARIATION && plain !== undefined;
    if (!isCompared || !isComplete(row) || !isComplete(plain)) return row;
    const difference = pairedDifference(learnersBySeed(row), learnersBySeed(plain));
    return { ...row, difference: difference === null ? undefined : summaryMessage(difference) };
  });
}

function isComplete({ state }: ResultRow): boolean {
  return state === ResultState.COMPLETE;
}

function distillationOf(tasks: readonly Task[]): DistillationSummary | undefined {
  for (const { result } of tasks) {
    if (result?.kind?.$case !== "distill") continue;
    const { artifact, ...measured } = result.kind.value;
    return { ...measured, artifactId: artifact?.id ?? "" };
  }
  return undefined;
}

function learnersOf(result: TaskResult | undefined): LearnerResult[] {
  return result?.kind?.$case === "learners" ? [result.kind.value] : [];
}
