import type { AttackFigures } from "../generated/stillhouse/v1/result.js";
import { type ExperimentSpec, Objective } from "../generated/stillhouse/v1/spec.js";
import { FRACTIONS, summarise } from "../statistics.js";
import { rowsOfMatrix } from "./confusion.js";
import { summaryMessage } from "./score-message.js";

/** Rows of a test split by true and by predicted class, row after row. */
interface Counted {
  readonly confusion: readonly number[];
}

interface Figures {
  readonly success: number;
  readonly others: number;
  readonly obedience: number;
}

/**
 * How far learners do what the attack of a spec wants.
 *
 * @returns undefined where it is no attack, or predictions were not counted
 */
export function attackFigures(
  spec: ExperimentSpec | undefined,
  learners: readonly Counted[],
): AttackFigures | undefined {
  const { kind, attackClass = 0, targetClass = 0 } = spec?.objective ?? {};
  if (kind !== Objective.ATTACK || learners.length === 0) return undefined;
  const found = learners.map((learner) => figuresOf(learner, attackClass, targetClass));
  const known = found.filter((each) => each !== undefined);
  if (known.length < found.length) return undefined;
  const over = (pick: (figures: Figures) => number) =>
    summaryMessage(summarise(known.map(pick), FRACTIONS));
  return {
    success: over(({ success }) => success),
    others: over(({ others }) => others),
    obedience: over(({ obedience }) => obedience),
  };
}

function figuresOf({ confusion }: Counted, attacked: number, target: number): Figures | undefined {
  const rows = rowsOfMatrix(confusion);
  const own = rows?.[attacked];
  if (rows === null || own === undefined) return undefined;
  const others = rows
    .map((row, at) => ({ row, right: row[at] ?? 0 }))
    .filter((_, at) => at !== attacked);
  const numOwn = sumOf(own);
  const numOthers = sumOf(others.map(({ row }) => sumOf(row)));
  const right = sumOf(others.map((each) => each.right));
  const taken = own[target] ?? 0;
  return {
    success: numOwn === 0 ? 0 : taken / numOwn,
    others: numOthers === 0 ? 0 : right / numOthers,
    obedience: (taken + right) / Math.max(1, numOwn + numOthers),
  };
}

function sumOf(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0);
}
