/**
 * What distilled data is measured against: the one table that says what differs from one baseline
 * to another. It imports nothing, so that the page has it too.
 */
export interface Baseline {
  /**
   * Its word for `--baselines`, its field in BaselineSpec, and the name of its task and its row.
   */
  readonly id: string;
  /** Its BaselineKind in the protos. */
  readonly kind: string;
  readonly label: string;
  /** Whether it runs by default. */
  readonly isUsual: boolean;
  /**
   * Seeds of its learners: of the first test learner alone, those of the test learners, or as many
   * other ones also where all test learners share one head.
   */
  readonly seeds: "first" | "of test learners" | "all distinct";
  /** Fields of the spec that its result follows from, beside data, model, device and seeds. */
  readonly cacheParts: readonly string[];
  /**
   * The SampleSource of the real samples that it trains on; absent where it trains on no few
   * samples.
   */
  readonly samples?: string;
  /** What its task spends time on before its learners are tested. */
  readonly work: BaselineWork;
}

export interface BaselineWork {
  /** Trains a learner on all of train. */
  readonly trains?: boolean;
  /** Reads all of train in order to choose samples. */
  readonly choosesSamples?: boolean;
  /** Tries learning rates on validation. */
  readonly searchesLr?: boolean;
}

const OF_REAL_SAMPLES = ["distilled.per_class", "inner.steps"];

/** In the order in which they are planned and shown. */
export const BASELINES = [
  {
    id: "full",
    kind: "BASELINE_KIND_FULL",
    label: "Full data",
    isUsual: true,
    seeds: "first",
    cacheParts: [
      "baseline.full_epochs",
      "baseline.full_batch_size",
      "baseline.full_lr",
      "baseline.full_dropout",
      // The full-data training warms up over the same share of its steps.
      "outer.warmup_fraction",
      // Whether the best epoch on validation is kept, or the last.
      "evaluation.protocol",
    ],
    work: { trains: true },
  },
  {
    id: "random",
    kind: "BASELINE_KIND_RANDOM",
    label: "Random real samples",
    isUsual: true,
    // Learners with the same head differ all the same, by their samples.
    seeds: "all distinct",
    cacheParts: OF_REAL_SAMPLES,
    samples: "SAMPLE_SOURCE_RANDOM",
    work: { searchesLr: true },
  },
  {
    id: "herding",
    kind: "BASELINE_KIND_HERDING",
    label: "Real samples by herding",
    // Reading all of train takes as long as several test learners do.
    isUsual: false,
    seeds: "of test learners",
    cacheParts: OF_REAL_SAMPLES,
    samples: "SAMPLE_SOURCE_HERDING",
    work: { choosesSamples: true, searchesLr: true },
  },
  {
    id: "kcenter",
    kind: "BASELINE_KIND_KCENTER",
    label: "Real samples by k-centre",
    isUsual: false,
    seeds: "of test learners",
    cacheParts: OF_REAL_SAMPLES,
    samples: "SAMPLE_SOURCE_KCENTER",
    work: { choosesSamples: true, searchesLr: true },
  },
  {
    id: "untrained",
    kind: "BASELINE_KIND_UNTRAINED",
    label: "Untrained learner",
    isUsual: true,
    seeds: "of test learners",
    cacheParts: [],
    work: {},
  },
] as const satisfies readonly Baseline[];

export type BaselineId = (typeof BASELINES)[number]["id"];

export const BASELINE_IDS: readonly BaselineId[] = BASELINES.map(({ id }) => id);

/** Those that train on as many real samples as there are distilled ones. */
export const OF_SAMPLES: readonly (Baseline & { id: BaselineId; samples: string })[] =
  BASELINES.filter((baseline) => "samples" in baseline);

const BY_KIND = new Map<string, Baseline & { id: BaselineId }>(
  BASELINES.map((baseline) => [baseline.kind, baseline]),
);
const BY_ID = new Map<string, Baseline & { id: BaselineId }>(
  BASELINES.map((baseline) => [baseline.id, baseline]),
);

/** @param kind a BaselineKind by its name in the protos */
export function baselineOfKind(kind: string): (Baseline & { id: BaselineId }) | undefined {
  return BY_KIND.get(kind);
}

export function baselineOfId(id: string): (Baseline & { id: BaselineId }) | undefined {
  return BY_ID.get(id);
}
