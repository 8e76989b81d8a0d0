/** Mean and spread of test learners, and what of them can be believed. */
export interface Summary {
  readonly mean: number;
  /** Population standard deviation; null where there is one value only. */
  readonly std: number | null;
  readonly n: number;
  /** 95 % bootstrap interval of the mean; null where there is one value only. */
  readonly interval95: readonly [low: number, high: number] | null;
}

/** Enough that the ends of an interval move by less than a tenth of its width. */
const RESAMPLES = 2000;
const SEED = 20221;

export function summarise(values: readonly number[]): Summary {
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
      interval ??= isOne ? null : bootstrapInterval(values);
      return interval;
    },
  };
}

/**
 * How much better one variant is than another: differences of the learners with the same seeds,
 * which share their heads, so that the luck of a head cancels out.
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

export function meanOf(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

/** The percentile bootstrap of Efron; the draws are always the same. */
function bootstrapInterval(values: readonly number[]): [number, number] {
  const draw = generator(SEED);
  const means = Array.from({ length: RESAMPLES }, () =>
    meanOf(values.map(() => values[Math.floor(draw() * values.length)] as number)),
  ).sort((a, b) => a - b);
  return [quantile(means, 0.025), quantile(means, 0.975)];
}

function quantile(sorted: readonly number[], share: number): number {
  const position = share * (sorted.length - 1);
  const [low, high] = [Math.floor(position), Math.ceil(position)];
  const [a, b] = [sorted[low] as number, sorted[high] as number];
  return a + (b - a) * (position - low);
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
