import { quantileSorted } from "d3-array";

/** Mean, standard deviation and interval over test learners. */
export interface Summary {
  readonly mean: number;
  /** Population standard deviation; null where there is one value only. */
  readonly std: number | null;
  readonly n: number;
  /** 95 % interval of the mean, see `INTERVAL_RULE`; null where there are too few values. */
  readonly interval95: readonly [low: number, high: number] | null;
}

/** Two values say almost nothing about the spread of others. */
const FEWEST_FOR_INTERVAL = 3;
/** The percentile bootstrap of fewer is too narrow: of five learners it holds the mean in 83 %. */
const FEWEST_FOR_BOOTSTRAP = 30;
/** How intervals are made, for the notes below tables. */
export const INTERVAL_RULE = intervalRule("learners");
/** The same where what is counted are distillations. */
export const INTERVAL_RULE_OF_DISTILLATIONS = intervalRule("distillations");

/**
 * The range of fractions, such as accuracies: intervals are cut to it, since no mean is outside.
 */
export const FRACTIONS: Range = [0, 1];
type Range = readonly [least: number, greatest: number];

/** Enough that the ends of an interval move by less than a tenth of its width. */
const RESAMPLES = 2000;
const SEED = 20221;

function intervalRule(counted: string): string {
  return `Student's t below ${FEWEST_FOR_BOOTSTRAP} ${counted}, bootstrap from there on, none below ${FEWEST_FOR_INTERVAL}`;
}

/** @param range of the values; unbounded where absent */
export function summarise(values: readonly number[], range?: Range): Summary {
  const mean = meanOf(values);
  const variance = meanOf(values.map((value) => (value - mean) ** 2));
  const isOne = values.length <= 1;
  let interval: Summary["interval95"] | undefined;
  return {
    mean,
    std: isOne ? null : Math.sqrt(variance),
    n: values.length,
    // It takes a millisecond, and a list of many experiments shows none.
    get interval95() {
      interval ??= intervalOfMean(values, range);
      return interval;
    },
  };
}

/**
 * How much greater the values of one variant are than those of another: differences of the learners
 * with the same seeds, which share their heads, so that the luck of a head cancels out.
 *
 * @returns null where no two learners share their seeds.
 */
export function pairedDifference(
  values: ReadonlyMap<string, number>,
  reference: ReadonlyMap<string, number>,
): Summary | null {
  const differences = [...values].flatMap(([seed, value]) => {
    const other = reference.get(seed);
    return other === undefined ? [] : [value - other];
  });
  return differences.length === 0 ? null : summarise(differences);
}

/** NaN where any value is: d3-array would leave those out, and hide that a learner diverged. */
export function meanOf(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

function intervalOfMean(
  values: readonly number[],
  [least, greatest]: Range = [Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY],
): Summary["interval95"] {
  if (values.length < FEWEST_FOR_INTERVAL) return null;
  const isFew = values.length < FEWEST_FOR_BOOTSTRAP;
  const [low, high] = isFew ? studentInterval(values) : bootstrapInterval(values);
  return [Math.max(low, least), Math.min(high, greatest)];
}

function studentInterval(values: readonly number[]): [number, number] {
  const freedom = values.length - 1;
  const mean = meanOf(values);
  const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / freedom;
  const half = studentQuantile(0.95, freedom) * Math.sqrt(variance / values.length);
  return [mean - half, mean + half];
}

/**
 * The t that |T| stays below with this probability.
 *
 * The libraries with this quantile that are kept up bring a hundred packages, and it is wanted for
 * whole degrees of freedom alone, where the probability is a finite sum (Abramowitz and Stegun,
 * 26.7.3 and 26.7.4). It grows with the angle, so halving finds it to the last bits.
 *
 * @param freedom degrees of freedom, an integer > 0
 */
export function studentQuantile(probability: number, freedom: number): number {
  let [low, high] = [0, Math.PI / 2];
  for (let middle = high / 2; low < middle && middle < high; middle = (low + high) / 2) {
    if (studentProbability(middle, freedom) < probability) low = middle;
    else high = middle;
  }
  return Math.sqrt(freedom) * Math.tan(high);
}

/** That of |T| < t, for the angle atan(t / sqrt(freedom)). */
function studentProbability(angle: number, freedom: number): number {
  const isOdd = freedom % 2 === 1;
  let term = isOdd ? Math.cos(angle) : 1;
  let sum = freedom === 1 ? 0 : term;
  for (let at = isOdd ? 2 : 1; at + 2 < freedom; at += 2) {
    term *= (at / (at + 1)) * Math.cos(angle) ** 2;
    sum += term;
  }
  return isOdd ? (2 / Math.PI) * (angle + Math.sin(angle) * sum) : Math.sin(angle) * sum;
}

/** The percentile bootstrap of Efron; the draws are always the same. */
function bootstrapInterval(values: readonly number[]): [number, number] {
  const draw = generator(SEED);
  const means = Array.from({ length: RESAMPLES }, () =>
    meanOf(values.map(() => values[Math.floor(draw() * values.length)] as number)),
  ).sort((a, b) => a - b);
  return [quantileSorted(means, 0.025) ?? Number.NaN, quantileSorted(means, 0.975) ?? Number.NaN];
}

/** Uniform numbers in [0, 1): mulberry32 by Tommy Ettinger, public domain. */
function generator(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
