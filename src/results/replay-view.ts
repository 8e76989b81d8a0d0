import type { Summary } from "../statistics.js";
import { replayMethodLabel, replayMethodWord } from "./replay-names.js";
import { type SummaryMessage, summaryOf } from "./rows.js";

/** The `ReplayFigures` of the protos, in either form of the message. */
export interface ReplayMessage {
  readonly method: string;
  readonly after: readonly {
    readonly accuracies: readonly SummaryMessage[];
    readonly mean?: SummaryMessage | undefined;
  }[];
  readonly averageAccuracy?: SummaryMessage | undefined;
  readonly averageAccuracyOfSeeds?: SummaryMessage | undefined;
  readonly forgetting?: SummaryMessage | undefined;
  readonly backwardTransfer?: SummaryMessage | undefined;
  readonly gainOverSimple?: SummaryMessage | undefined;
  readonly gainOverSimpleOfSeeds?: SummaryMessage | undefined;
  readonly memorySamples: number;
  readonly memoryBytes: number;
}

/** What learners with one kind of memory reach, as readers show it; fractions. */
export interface ReplayView {
  /** The word for `--methods`. */
  readonly id: string;
  readonly label: string;
  /** Row k, from 0: after task k, the accuracy on each task from 0 to k. */
  readonly matrix: readonly (readonly Summary[])[];
  /** Mean accuracy over the tasks so far, after each. */
  readonly curve: readonly Summary[];
  readonly accuracy: Summary;
  readonly accuracyOfSeeds: Summary;
  readonly forgetting: Summary;
  readonly backwardTransfer: Summary;
  /** Over simple replay, of the learners with the same seeds; null where it is not compared. */
  readonly gain: Summary | null;
  /** The same of the means of each seed. */
  readonly gainOfSeeds: Summary | null;
  readonly memorySamples: number;
  readonly memoryBytes: number;
}

/** The figures of continual learning; empty where there are none. */
export function replayViews(
  result: { readonly replay: readonly ReplayMessage[] } | undefined,
): ReplayView[] {
  return (result?.replay ?? []).flatMap((message) => viewOf(message) ?? []);
}

function viewOf(message: ReplayMessage): ReplayView | undefined {
  const { averageAccuracy, averageAccuracyOfSeeds, forgetting, backwardTransfer } = message;
  if (averageAccuracy === undefined || averageAccuracyOfSeeds === undefined) return undefined;
  if (forgetting === undefined || backwardTransfer === undefined) return undefined;
  const { method, after, gainOverSimple: gain, gainOverSimpleOfSeeds: gainOfSeeds } = message;
  return {
    id: replayMethodWord(method),
    label: replayMethodLabel(method),
    matrix: after.map(({ accuracies }) => accuracies.map(summaryOf)),
    curve: after.flatMap(({ mean }) => (mean === undefined ? [] : [summaryOf(mean)])),
    accuracy: summaryOf(averageAccuracy),
    accuracyOfSeeds: summaryOf(averageAccuracyOfSeeds),
    forgetting: summaryOf(forgetting),
    backwardTransfer: summaryOf(backwardTransfer),
    gain: gain === undefined ? null : summaryOf(gain),
    gainOfSeeds: gainOfSeeds === undefined ? null : summaryOf(gainOfSeeds),
    memorySamples: message.memorySamples,
    memoryBytes: message.memoryBytes,
  };
}
