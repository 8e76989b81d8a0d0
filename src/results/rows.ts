import type { Summary } from "../statistics.js";
import { rowsOfMatrix } from "./confusion.js";
import type { RelativeScores } from "./relative-scores.js";

/** A `Summary` of the protos, in either form of the message. */
export interface SummaryMessage {
  readonly mean: number;
  readonly std?: number | undefined;
  readonly n: number;
  readonly intervalLow?: number | undefined;
  readonly intervalHigh?: number | undefined;
}

/** A `ResultRow` of the protos, in either form of the message. Enums by their names. */
export interface RowMessage {
  readonly id: string;
  readonly kind: string;
  readonly state: string;
  readonly label: string;
  readonly variant: string;
  readonly condition: string;
  readonly taskIds: readonly string[];
  readonly failure: string;
  readonly initSeeds: readonly number[];
  readonly accuracies: readonly number[];
  readonly accuracy?: SummaryMessage | undefined;
  readonly difference?: SummaryMessage | undefined;
  readonly macroF1?: number | undefined;
  readonly loss?: number | undefined;
  readonly trainSamples: number;
  readonly gdSteps: number;
  readonly chosenLr?: number | undefined;
  readonly trainTimeS?: number | undefined;
  readonly storedBytes?: number | undefined;
  readonly joules?: number | undefined;
  readonly confusion: readonly number[];
  readonly attack?: AttackMessage | undefined;
}

/** The `AttackFigures` of the protos, in either form of the message. */
export interface AttackMessage {
  readonly success?: SummaryMessage | undefined;
  readonly others?: SummaryMessage | undefined;
  readonly obedience?: SummaryMessage | undefined;
}

/** How far learners do what an attack wants, as fractions. */
export interface Attack {
  /** Rows of the attacked class that are taken for the target class. */
  readonly success: Summary;
  /** Accuracy on the rows of all other classes. */
  readonly others: Summary;
  /** Rows that are taken for what the attack wants. */
  readonly obedience: Summary;
}

/** An `ExperimentResult` of the protos, in either form of the message. */
export interface ResultMessage {
  readonly rows: readonly RowMessage[];
}

/** A row with at least one tested learner, as readers show it. */
export interface Row {
  readonly id: string;
  readonly kind: "baseline" | "distilled" | "variation";
  readonly isComplete: boolean;
  readonly label: string;
  readonly variant: string;
  readonly condition: string;
  readonly trainSamples: number;
  readonly gdSteps: number;
  /** As fractions. */
  readonly accuracy: Summary;
  /** Accuracy by init seed. */
  readonly learners: ReadonlyMap<string, number>;
  readonly macroF1: number;
  readonly loss: number;
  readonly chosenLr: number | null;
  readonly trainTimeS: number | null;
  /** What has to be stored for a learner; null where it is not known, or nothing is. */
  readonly storedBytes: number | null;
  /** Energy of its tasks; null where a machine did not report it. */
  readonly joules: number | null;
  /** Gain over "as distilled"; null where it is not compared. */
  readonly difference: Summary | null;
  /** Test rows by true and by predicted class, over all learners; null where not counted. */
  readonly confusion: readonly (readonly number[])[] | null;
  /** Null where the objective is no attack. */
  readonly attack: Attack | null;
}

/** The rows that have figures, in their order. */
export function testedRows(result: ResultMessage | undefined): Row[] {
  return (result?.rows ?? []).flatMap((row) => testedRow(row) ?? []);
}

/** @returns undefined before a learner has been tested */
export function testedRow(row: RowMessage): Row | undefined {
  if (row.accuracy === undefined) return undefined;
  return {
    ...row,
    kind: KINDS[row.kind] ?? "distilled",
    isComplete: row.state === "RESULT_STATE_COMPLETE",
    accuracy: summaryOf(row.accuracy),
    learners: learnersBySeed(row),
    macroF1: row.macroF1 ?? 0,
    loss: row.loss ?? 0,
    chosenLr: row.chosenLr ?? null,
    trainTimeS: row.trainTimeS ?? null,
    storedBytes: row.storedBytes ?? null,
    joules: row.joules ?? null,
    difference: row.difference ? summaryOf(row.difference) : null,
    confusion: rowsOfMatrix(row.confusion),
    attack: attackOf(row.attack),
  };
}

function attackOf(message: AttackMessage | undefined): Attack | null {
  const { success, others, obedience } = message ?? {};
  if (success === undefined || others === undefined || obedience === undefined) return null;
  return {
    success: summaryOf(success),
    others: summaryOf(others),
    obedience: summaryOf(obedience),
  };
}

/** Accuracies of learners by their seeds. */
export function learnersBySeed({
  initSeeds,
  accuracies,
}: Pick<RowMessage, "initSeeds" | "accuracies">): ReadonlyMap<string, number> {
  return new Map(initSeeds.map((seed, at) => [String(seed), accuracies[at] ?? Number.NaN]));
}

export function summaryOf({ mean, std, n, intervalLow, intervalHigh }: SummaryMessage): Summary {
  const isBounded = intervalLow !== undefined && intervalHigh !== undefined;
  return { mean, std: std ?? null, n, interval95: isBounded ? [intervalLow, intervalHigh] : null };
}

const KINDS: Readonly<Record<string, Row["kind"]>> = {
  RESULT_KIND_BASELINE: "baseline",
  RESULT_KIND_VARIATION: "variation",
};

/** The `RelativeScores` of the protos, in either form of the message. */
interface ScoresMessage {
  readonly hardLabelRecovery?: number | undefined;
  readonly against: readonly {
    readonly id: string;
    readonly iorHardLabels?: SummaryMessage | undefined;
    readonly iorOwnLabels?: SummaryMessage | undefined;
    readonly labelRobustScore?: number | undefined;
  }[];
}

/** The relative scores, with null for those that could not be computed. */
export function scoresOf(scores: ScoresMessage | undefined): RelativeScores {
  return {
    hardLabelRecovery: scores?.hardLabelRecovery ?? null,
    comparisons: (scores?.against ?? []).map(({ id, iorHardLabels, iorOwnLabels, ...others }) => ({
      id,
      iorHard: iorHardLabels === undefined ? null : summaryOf(iorHardLabels),
      iorOwn: iorOwnLabels === undefined ? null : summaryOf(iorOwnLabels),
      labelRobustScore: others.labelRobustScore ?? null,
    })),
  };
}
