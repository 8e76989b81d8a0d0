import { BASELINE_IDS, type BaselineId, baselineOfId } from "../../baselines.js";
import type { Task } from "../../generated/page/stillhouse/v1/experiment.js";
import { FRACTIONS, meanOf, type Summary, summarise } from "../../statistics.js";
import { baselineOf, variationName } from "./task-view.js";

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

const BASELINE_ORDER: readonly RowId[] = BASELINE_IDS;

function rowIdOf({ work }: Task): RowId | undefined {
  const name = variationName(work);
  if (name !== "") return `variation ${name}`;
  if (work?.kind?.$case === "evaluate") return "distilled";
  return baselineOf(work)?.id;
}

/** Shards of an evaluation belong to one row. */
export function resultsOf(tasks: readonly Task[]): ResultView[] {
  const ids = new Set(tasks.map(rowIdOf).filter((id) => id !== undefined));
  const order = [...ids].filter((id) => !BASELINE_ORDER.includes(id)).concat(BASELINE_ORDER);
  return order.flatMap((id) => {
    const shards = tasks
      .filter((task) => rowIdOf(task) === id)
      .flatMap(({ result }) => (result?.kind?.$case === "learners" ? [result.kind.value] : []));
    const [first] = shards;
    if (first === undefined) return [];
    const learners = shards.flatMap(({ inits }) => inits);
    const label = baselineOfId(id)?.label ?? distilledLabel(id);
    return [
      {
        id,
        label,
        learners,
        accuracy: summarise(
          learners.map(({ accuracy }) => accuracy),
          FRACTIONS,
        ),
        macroF1: meanOf(learners.map(({ macroF1 }) => macroF1)),
        trainSamples: first.trainSamples,
        gdSteps: first.gdSteps,
        chosenLr: first.chosenLr || undefined,
      },
    ];
  });
}

function distilledLabel(id: RowId): string {
  return id.replace(/^(distilled|variation)/, "Distilled data").replace("data ", "data, ");
}
