import type { InitResult, Task } from "../../generated/stillhouse/v1/experiment.js";
import { FRACTIONS, type Summary, summarise } from "../../statistics.js";
import type { Wire } from "../server/wire.js";
import { BASELINES, variationName } from "./task-view.js";

type BaselineId = "full" | "random" | "herding" | "kcenter" | "untrained";

/** A variation is how the learners on the distilled data were trained otherwise. */
export type RowId = "distilled" | `variation ${string}` | BaselineId;

/** A learner that was trained and tested. */
export interface LearnerView {
  readonly initSeed: number;
  /** 0 to 1. */
  readonly accuracy: number;
  readonly loss: number;
  readonly macroF1: number;
  /** Test rows by true (row) and predicted class, row after row; empty where it was not counted. */
  readonly confusion: readonly number[];
}

/** What learners trained on one kind of data reach on the test split. */
export interface ResultView {
  readonly id: RowId;
  readonly label: string;
  readonly learners: readonly LearnerView[];
  readonly accuracy: Summary;
  readonly macroF1: number;
  readonly trainSamples: number;
  readonly gdSteps: number;
  /** Undefined where none was searched. */
  readonly chosenLr: number | undefined;
}

const BASELINE_ORDER: readonly RowId[] = ["full", "random", "herding", "kcenter", "untrained"];

function rowIdOf({ work }: Wire<Task>): RowId | undefined {
  const name = variationName(work);
  if (name !== "") return `variation ${name}`;
  if (work?.evaluate) return "distilled";
  return BASELINES[work?.baseline?.kind ?? ""]?.kind as BaselineId | undefined;
}

/** Shards of an evaluation belong to one row. */
export function resultsOf(tasks: readonly Wire<Task>[]): ResultView[] {
  const ids = new Set(tasks.map(rowIdOf).filter((id) => id !== undefined));
  const order = [...ids].filter((id) => !BASELINE_ORDER.includes(id)).concat(BASELINE_ORDER);
  return order.flatMap((id) => {
    const shards = tasks
      .filter((task) => rowIdOf(task) === id)
      .flatMap(({ result }) => (result?.learners ? [result.learners] : []));
    const [first] = shards;
    if (first === undefined) return [];
    const learners = shards.flatMap(({ inits }) => inits ?? []).map(learnerView);
    const label =
      Object.values(BASELINES).find((row) => row.kind === id)?.label ?? distilledLabel(id);
    return [
      {
        id,
        label,
        learners,
        accuracy: summarise(
          learners.map(({ accuracy }) => accuracy),
          FRACTIONS,
        ),
        macroF1: learners.reduce((sum, { macroF1 }) => sum + macroF1, 0) / learners.length,
        trainSamples: first.trainSamples ?? 0,
        gdSteps: first.gdSteps ?? 0,
        chosenLr: first.chosenLr || undefined,
      },
    ];
  });
}

function distilledLabel(id: RowId): string {
  return id.replace(/^(distilled|variation)/, "Distilled data").replace("data ", "data, ");
}

function learnerView(init: Wire<InitResult>): LearnerView {
  const { initSeed = 0, accuracy = 0, loss = 0, macroF1 = 0, confusion = [] } = init;
  return { initSeed, accuracy, loss, macroF1, confusion };
}
