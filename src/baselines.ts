/**
 * What distilled data is measured against: the one table that says what differs from one baseline
 * to another. It imports nothing, so that the page has it too.
 */
export interface Baseline {
  /** The name of its task and its row. */
  readonly id: string;
  /** Its word for `--baselines`; several may share one. With "_" for "-" its field in the protos. */
  readonly flag: string;
  /** That field as it is called here. */
  readonly field: string;
  /** Its BaselineKind in the protos. */
  readonly kind: string;
  readonly label: string;
  /** Whether it runs by default. */
  readonly isUsual: boolean;
  /** Whether it runs before the distillation, so that a table has its first rows soon. */
  readonly isQuick?: boolean;
  /**
   * Seeds of its learners: those that it has in every experiment, whatever its seed, since it uses
   * all of train; those of the test learners; or as many other ones also where all test learners
   * share one head.
   */
  readonly seeds: "shared" | "of test learners" | "all distinct";
  /** Fields of the spec that its result follows from, beside data, model, device and seeds. */
  readonly cacheParts: readonly string[];
  /**
   * The SampleSource of the real samples that it trains on; absent where it trains on no few
   * samples.
   */
  readonly samples?: string;
  /**
   * Whether its learners draw their start, or have none, also where others start from those of a
   * pool.
   */
  readonly drawsStart?: boolean;
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
  /** Runs the frozen encoder over all of train and of test, and no learner. */
  readonly readsFeatures?: boolean;
  /** Reads test once, however many its learners are. */
  readonly readsTest?: boolean;
  /** Tunes each learner on pairs of this many texts per class. */
  readonly tunesOn?: number;
}

const NUM_SAMPLES = [
  "distilled.per_class",
  "distilled.samples",
  "distilled.sample_classes",
  "distilled.blocks",
];
const OF_REAL_SAMPLES = [...NUM_SAMPLES, "inner.steps"];

/** In the order in which they are shown. */
export const BASELINES = [
  {
    id: "full",
    flag: "full",
    field: "full",
    kind: "BASELINE_KIND_FULL",
    label: "Full data",
    isUsual: true,
    seeds: "shared",
    cacheParts: [
      "baseline.full_epochs",
      "baseline.full_batch_size",
      "baseline.full_lr",
      "baseline.full_dropout",
      // The full-data training warms up over the same share of its steps.
      "outer.warmup_fraction",
      "outer.augmentation",
      // Whether the best epoch on validation is kept, or the last.
      "evaluation.protocol",
    ],
    drawsStart: true,
    work: { trains: true },
  },
  {
    id: "linear-probe",
    flag: "linear-probe",
    field: "linearProbe",
    kind: "BASELINE_KIND_LINEAR_PROBE",
    label: "Linear probe, all rows",
    isUsual: true,
    isQuick: true,
    seeds: "shared",
    cacheParts: [],
    drawsStart: true,
    work: { readsFeatures: true },
  },
  {
    id: "linear-probe-few",
    flag: "linear-probe",
    field: "linearProbe",
    kind: "BASELINE_KIND_LINEAR_PROBE_FEW",
    label: "Linear probe, random samples",
    isUsual: true,
    isQuick: true,
    seeds: "all distinct",
    cacheParts: NUM_SAMPLES,
    drawsStart: true,
    work: { readsFeatures: true },
  },
  {
    id: "class-means",
    flag: "class-means",
    field: "classMeans",
    kind: "BASELINE_KIND_CLASS_MEANS",
    label: "Class means, all rows",
    isUsual: true,
    isQuick: true,
    seeds: "shared",
    cacheParts: [],
    drawsStart: true,
    work: { readsFeatures: true },
  },
  {
    id: "random",
    flag: "random",
    field: "random",
    kind: "BASELINE_KIND_RANDOM",
    label: "Random real samples",
    isUsual: true,
    // Learners with the same head still differ by their samples.
    seeds: "all distinct",
    cacheParts: OF_REAL_SAMPLES,
    samples: "SAMPLE_SOURCE_RANDOM",
    work: { searchesLr: true },
  },
  {
    id: "herding",
    flag: "herding",
    field: "herding",
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
    flag: "kcenter",
    field: "kcenter",
    kind: "BASELINE_KIND_KCENTER",
    label: "Real samples by k-centre",
    isUsual: false,
    seeds: "of test learners",
    cacheParts: OF_REAL_SAMPLES,
    samples: "SAMPLE_SOURCE_KCENTER",
    work: { choosesSamples: true, searchesLr: true },
  },
  {
    id: "k-means",
    flag: "k-means",
    field: "kMeans",
    kind: "BASELINE_KIND_K_MEANS",
    label: "K-means centroids",
    isUsual: false,
    seeds: "of test learners",
    cacheParts: OF_REAL_SAMPLES,
    work: { choosesSamples: true, searchesLr: true },
  },
  {
    id: "knn",
    flag: "knn",
    field: "knn",
    kind: "BASELINE_KIND_KNN",
    label: "k-NN, random samples",
    isUsual: false,
    isQuick: true,
    seeds: "all distinct",
    cacheParts: NUM_SAMPLES,
    drawsStart: true,
    work: { readsFeatures: true },
  },
  {
    id: "knn-k-means",
    flag: "knn",
    field: "knn",
    kind: "BASELINE_KIND_KNN_K_MEANS",
    label: "k-NN, k-means centroids",
    isUsual: false,
    isQuick: true,
    seeds: "of test learners",
    cacheParts: NUM_SAMPLES,
    drawsStart: true,
    work: { readsFeatures: true },
  },
  {
    id: "adam",
    flag: "adam",
    field: "adam",
    kind: "BASELINE_KIND_ADAM",
    label: "Random real samples, Adam",
    isUsual: false,
    // Those of "random", so that both train on the same samples.
    seeds: "all distinct",
    cacheParts: NUM_SAMPLES,
    work: { searchesLr: true },
  },
  {
    id: "setfit-8",
    flag: "setfit",
    field: "setfit",
    kind: "BASELINE_KIND_SETFIT_8",
    label: "SetFit, 8 samples per class",
    isUsual: false,
    seeds: "all distinct",
    cacheParts: [],
    drawsStart: true,
    work: { tunesOn: 8 },
  },
  {
    id: "setfit-64",
    flag: "setfit",
    field: "setfit",
    kind: "BASELINE_KIND_SETFIT_64",
    label: "SetFit, 64 samples per class",
    isUsual: false,
    seeds: "all distinct",
    cacheParts: [],
    drawsStart: true,
    work: { tunesOn: 64 },
  },
  {
    id: "untrained",
    flag: "untrained",
    field: "untrained",
    kind: "BASELINE_KIND_UNTRAINED",
    label: "Untrained learner",
    isUsual: true,
    seeds: "of test learners",
    cacheParts: [],
    work: { readsTest: true },
  },
] as const satisfies readonly Baseline[];

export type BaselineId = (typeof BASELINES)[number]["id"];

export const BASELINE_IDS: readonly BaselineId[] = BASELINES.map(({ id }) => id);

/** The words for `--baselines`. */
export const BASELINE_FLAGS: readonly string[] = [...new Set(BASELINES.map(({ flag }) => flag))];

/** The boolean fields of BaselineSpec. */
export type BaselineField = (typeof BASELINES)[number]["field"];

/** Those that train on as many real samples as there are distilled ones. */
export const OF_SAMPLES = BASELINES.filter((baseline) => "samples" in baseline);

const BY_KIND = new Map<string, Baseline & { id: BaselineId }>(
  BASELINES.map((baseline) => [baseline.kind, baseline]),
);
const BY_ID = new Map<string, Baseline & { id: BaselineId }>(
  BASELINES.map((baseline) => [baseline.id, baseline]),
);

/** Whether the learners of a baseline start from those of a pool where there is one. */
export function startsFromPool(kind: string): boolean {
  return BY_KIND.get(kind)?.drawsStart !== true;
}

/** @param kind a BaselineKind by its name in the protos */
export function baselineOfKind(kind: string): (Baseline & { id: BaselineId }) | undefined {
  return BY_KIND.get(kind);
}

export function baselineOfId(id: string): (Baseline & { id: BaselineId }) | undefined {
  return BY_ID.get(id);
}
