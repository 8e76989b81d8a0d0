import type { ReplayResult, ReplayRun, Task } from "../generated/stillhouse/v1/experiment.js";
import {
  type ReplayFigures,
  type ReplayStage,
  ResultKind,
  ResultRow,
} from "../generated/stillhouse/v1/result.js";
import { ReplayMethod, type ReplaySpec } from "../generated/stillhouse/v1/spec.js";
import { FRACTIONS, meanOf, pairedDifference, summarise } from "../statistics.js";
import { replayMethodLabel, replayMethodWord } from "./replay-names.js";
import { rowFrame } from "./row-frame.js";
import { summaryMessage } from "./score-message.js";

/** What a method has found: the learners of each seed, and the result of the last shard of each. */
interface Found {
  readonly method: ReplayMethod;
  readonly tasks: readonly Task[];
  readonly results: readonly { readonly seed: number; readonly result: ReplayResult }[];
}

/** Differences of accuracies, which a mean of learners cannot leave. */
const GAINS: [number, number] = [-1, 1];

/** A row per method of continual learning, with the accuracy over all tasks at the end. */
export function replayRows(replay: ReplaySpec, tasks: readonly Task[]): ResultRow[] {
  return replay.methods.map((method) => rowOf(foundBy(method, tasks)));
}

/** The figures of the methods that have tested a learner. */
export function replayFigures(replay: ReplaySpec, tasks: readonly Task[]): ReplayFigures[] {
  const found = replay.methods.map((method) => foundBy(method, tasks));
  const simple = found.find(({ method }) => method === ReplayMethod.SIMPLE);
  return found
    .filter((each) => runsOf(each).length > 0)
    .map((each) => ({ ...figuresOf(each), ...gainsOf(each, simple) }));
}

function foundBy(method: ReplayMethod, tasks: readonly Task[]): Found {
  const own = tasks.flatMap((task) => {
    const work = task.work?.kind;
    return work?.$case === "replay" && work.value.method === method
      ? [{ task, seed: work.value.seed }]
      : [];
  });
  const results = own.flatMap(({ task, seed }) =>
    task.result?.kind?.$case === "replay" ? [{ seed, result: task.result.kind.value }] : [],
  );
  return { method, tasks: own.map(({ task }) => task), results };
}

function runsOf({ results }: Pick<Found, "results">): ReplayRun[] {
  return results.flatMap(({ result }) => result.runs);
}

function rowOf(found: Found): ResultRow {
  const { method, tasks, results } = found;
  const runs = runsOf(found);
  const accuracies = runs.map(averageAccuracy);
  return ResultRow.fromPartial({
    id: replayMethodWord(method),
    kind: method === ReplayMethod.DISTILLED ? ResultKind.DISTILLED : ResultKind.BASELINE,
    label: replayMethodLabel(method),
    condition: method === ReplayMethod.DISTILLED ? "as distilled" : "",
    ...rowFrame(tasks, results.length),
    initSeeds: runs.map(({ initSeed }) => initSeed),
    accuracies,
    ...(runs.length === 0
      ? {}
      : {
          accuracy: summaryMessage(summarise(accuracies, FRACTIONS)),
          trainSamples: results[0]?.result.memorySamples ?? 0,
          gdSteps: Number(results[0]?.result.gdSteps ?? 0),
          trainTimeS: meanOf(runs.map(({ trainTimeS }) => trainTimeS)),
          storedBytes: memoryBytes(found) || undefined,
        }),
  });
}

function figuresOf(found: Found): ReplayFigures {
  const runs = runsOf(found);
  const over = (figure: (run: ReplayRun) => number, range: [number, number]) =>
    summaryMessage(summarise(runs.map(figure), range));
  return {
    method: found.method,
    after: stagesOf(runs),
    averageAccuracy: over(averageAccuracy, [0, 1]),
    averageAccuracyOfSeeds: summaryMessage(summarise([...meansOfSeeds(found).values()], FRACTIONS)),
    forgetting: over(forgetting, GAINS),
    backwardTransfer: over(backwardTransfer, GAINS),
    gainOverSimple: undefined,
    gainOverSimpleOfSeeds: undefined,
    memorySamples: found.results[0]?.result.memorySamples ?? 0,
    memoryBytes: memoryBytes(found),
    gdSteps: found.results[0]?.result.gdSteps ?? 0n,
  };
}

/** Real samples of other seeds have other bytes. */
function memoryBytes({ results }: Found): number {
  return meanOf(results.map(({ result }) => Number(result.memoryBytes)));
}

function stagesOf(runs: readonly ReplayRun[]): ReplayStage[] {
  const numTasks = runs[0]?.after.length ?? 0;
  return Array.from({ length: numTasks }, (_, task) => {
    const rows = runs.map((run) => accuraciesAfter(run, task));
    const over = (pick: (row: readonly number[]) => number) =>
      summaryMessage(summarise(rows.map(pick), FRACTIONS));
    return {
      accuracies: Array.from({ length: task + 1 }, (_, on) => over((row) => row[on] ?? Number.NaN)),
      mean: over(meanOf),
    };
  });
}

function gainsOf(found: Found, simple: Found | undefined): Partial<ReplayFigures> {
  if (simple === undefined || simple === found) return {};
  const learners = pairedDifference(finalsOf(found), finalsOf(simple));
  const seeds = pairedDifference(meansOfSeeds(found), meansOfSeeds(simple));
  return {
    gainOverSimple: learners === null ? undefined : summaryMessage(learners),
    gainOverSimpleOfSeeds: seeds === null ? undefined : summaryMessage(seeds),
  };
}

/** Average accuracy by the learner's seed. */
function finalsOf(found: Found): Map<string, number> {
  return new Map(runsOf(found).map((run) => [String(run.initSeed), averageAccuracy(run)]));
}

/** Mean over the learners of each seed that share their memories. */
function meansOfSeeds({ results }: Found): Map<string, number> {
  const runs = new Map<string, number[]>();
  for (const { seed, result } of results) {
    const before = runs.get(String(seed)) ?? [];
    runs.set(String(seed), [...before, ...result.runs.map(averageAccuracy)]);
  }
  return new Map([...runs].map(([seed, values]) => [seed, meanOf(values)]));
}

function accuraciesAfter({ after }: ReplayRun, task: number): readonly number[] {
  return after[task]?.accuracies ?? [];
}

function lastRow({ after }: ReplayRun): readonly number[] {
  return after.at(-1)?.accuracies ?? [];
}

/** A_K: the mean of a_{K,i} over all tasks i. */
export function averageAccuracy(run: ReplayRun): number {
  return meanOf(lastRow(run));
}

/** F: the mean over the tasks i before the last of the highest a_{k,i}, k < K, less a_{K,i}. */
export function forgetting(run: ReplayRun): number {
  const earlier = run.after.slice(0, -1);
  return meanOf(
    earlier.map((_, on) => {
      const highest = Math.max(...earlier.slice(on).map(({ accuracies }) => accuracies[on] ?? 0));
      return highest - (lastRow(run)[on] ?? Number.NaN);
    }),
  );
}

/** The mean over the tasks i before the last of a_{K,i} - a_{i,i}. */
export function backwardTransfer(run: ReplayRun): number {
  const earlier = run.after.slice(0, -1);
  return meanOf(
    earlier.map(
      ({ accuracies }, on) => (lastRow(run)[on] ?? Number.NaN) - (accuracies[on] ?? Number.NaN),
    ),
  );
}
