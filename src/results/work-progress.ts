import { type BaselineId, type BaselineWork, baselineOfId } from "../baselines.js";

/** What a task computes; baselines by their ids. */
export type WorkKind = "pretrain" | "distill" | "evaluate" | "replay" | BaselineId;

/** The work of a task, from either form of the message. */
export interface TaskWork {
  readonly kind: WorkKind;
  readonly state: "queued" | "running" | "succeeded" | "failed" | "cancelled";
  /** Learners that it tests, or trains for a pool. */
  readonly numLearners: number;
  /** Whether a rate is chosen before the learners are tested. */
  readonly searchesLr: boolean;
  /** Whether it takes the rate that another task has found. */
  readonly takesLr: boolean;
  readonly isReused: boolean;
  /** See `ranSeconds`. */
  readonly ranS: number;
  readonly stage: string;
  readonly done: number;
  readonly total: number;
  /** Time left for the present stage; 0 where it is not known. */
  readonly secondsLeft: number;
}

/**
 * The settings that determine the cost of a task; an absent one counts as 0 or as its usual value.
 */
export interface CostSettings {
  readonly dataset?: { readonly validationFraction?: number | undefined } | undefined;
  readonly distilled?:
    | { readonly perClass?: number | undefined; readonly samples?: number | undefined }
    | undefined;
  readonly inner?: { readonly steps?: number | undefined } | undefined;
  readonly outer?:
    | {
        readonly epochs?: number | undefined;
        readonly steps?: number | undefined;
        readonly batchSize?: number | undefined;
        readonly initsPerStep?: number | undefined;
        readonly validations?: number | undefined;
      }
    | undefined;
  readonly baseline?:
    | { readonly fullEpochs?: number | undefined; readonly fullLr?: number | undefined }
    | undefined;
  readonly replay?:
    | {
        readonly tasks: readonly unknown[];
        readonly steps: number;
        readonly epochs: number;
        readonly batchSize: number;
      }
    | undefined;
  readonly pool?: { readonly epochs?: number | undefined } | undefined;
}

export interface WorkProgress {
  /** 0 to 1, of the work that was not taken from earlier experiments. */
  readonly share: number;
  /**
   * Seconds until the last task ends, on as many workers as now; undefined where it is not known.
   */
  readonly secondsLeft: number | undefined;
}

/** Rows of a test split and of train where a spec does not say. */
const TEST_TEXTS = 7_600;
const TRAIN_TEXTS = 20_000;
const NUM_CLASSES = 4;
/**
 * Costs per text in units of one forward pass: estimates from a run of a MiniLM on two CPU cores.
 */
const GRADIENT = 3;
const META_GRADIENT = 48;
const TRAINING = 6;
/** With a searched rate, as many trainings as the halving of four rates costs. */
const HALVED_TRAININGS = 2;
/** Pairs of texts that SetFit makes of each: of 20 others of its class, and of as many others. */
const PAIRS_PER_TEXT = 40;
/** Cost of the rates that are tried on validation, in units of reading a test split. */
const RATE_SEARCH = 2;

/**
 * Progress of a whole experiment, from the cost of its tasks and the time that they took so far.
 */
export function workProgress(spec: CostSettings, tasks: readonly TaskWork[]): WorkProgress {
  const own = tasks.filter(({ state, isReused }) => {
    return !isReused && state !== "failed" && state !== "cancelled";
  });
  const parts = own.map((task) => ({ task, cost: costOf(spec, task), done: doneShare(task) }));
  const total = sumOf(parts.map(({ cost }) => cost));
  const done = sumOf(parts.map(({ cost, done }) => cost * done));
  if (total === 0) {
    const isOver = tasks.length > 0 && own.length === 0;
    return { share: isOver ? 1 : 0, secondsLeft: undefined };
  }
  return { share: done / total, secondsLeft: secondsLeft(parts) };
}

/** Seconds in which a task ran, without those in which it waited; see `ran_s` of the protos. */
export function ranSeconds(task: RunTimes, nowMs: number): number {
  const { wallTimeS, ranS, attemptStartMs, startMs, endMs } = task;
  if (task.isReused) return 0;
  if (wallTimeS !== undefined) return wallTimeS;
  if (attemptStartMs !== undefined) return ranS + Math.max(0, nowMs - attemptStartMs) / 1_000;
  if (ranS > 0 || startMs === undefined || endMs === undefined) return ranS;
  return (endMs - startMs) / 1_000; // stored before attempts were timed
}

export interface RunTimes {
  readonly isReused: boolean;
  /** Of its result. */
  readonly wallTimeS: number | undefined;
  /** Of attempts that have ended. */
  readonly ranS: number;
  readonly attemptStartMs: number | undefined;
  readonly startMs: number | undefined;
  readonly endMs: number | undefined;
}

interface Part {
  readonly task: TaskWork;
  readonly cost: number;
  readonly done: number;
}

/** In units of one forward pass of a text. */
function costOf(spec: CostSettings, { kind, numLearners, searchesLr, takesLr }: TaskWork): number {
  const {
    epochs = 0,
    steps = 0,
    batchSize = 0,
    initsPerStep = 1,
    validations = 0,
  } = spec.outer ?? {};
  const trainTexts = epochs > 0 ? (steps * batchSize) / epochs : TRAIN_TEXTS;
  const { samples: given = 0, perClass = 1 } = spec.distilled ?? {};
  const samples = (given || perClass * NUM_CLASSES) * (spec.inner?.steps ?? 1);
  const testing = numLearners * (TEST_TEXTS + samples * GRADIENT);
  if (kind === "distill") {
    const validating = validations * trainTexts * (spec.dataset?.validationFraction ?? 0);
    return steps * initsPerStep * (batchSize * GRADIENT + samples * META_GRADIENT) + validating;
  }
  const { fullEpochs = 1, fullLr } = spec.baseline ?? {};
  const fullTrainings = fullLr === 0 && !takesLr ? HALVED_TRAININGS : 1;
  const fullCost = trainTexts * fullEpochs * TRAINING * fullTrainings;
  if (kind === "pretrain") {
    const poolEpochs = spec.pool?.epochs ?? 0;
    // Without a pool it is a teacher.
    return numLearners * (poolEpochs > 0 ? trainTexts * poolEpochs * GRADIENT : fullCost);
  }
  if (kind === "replay") return numLearners * replayCost(spec);
  const work = workBefore(kind, searchesLr);
  return (
    (work.trains ? fullCost : 0) +
    (work.choosesSamples ? trainTexts : 0) +
    (work.searchesLr ? RATE_SEARCH * TEST_TEXTS : 0) +
    (work.tunesOn ?? 0) * NUM_CLASSES * numLearners * PAIRS_PER_TEXT * GRADIENT +
    // Classifiers on features read each split once, however many they are.
    (work.readsFeatures ? trainTexts + TEST_TEXTS : work.readsTest ? TEST_TEXTS : testing)
  );
}

/** Of a learner that meets all tasks; a pass over one counts as a set of usual size. */
function replayCost({ replay }: CostSettings): number {
  const { tasks = [], steps = 0, epochs = 0, batchSize = 0 } = replay ?? {};
  const trained = steps > 0 ? steps * batchSize : epochs * TRAIN_TEXTS;
  return tasks.length * (trained * GRADIENT + TEST_TEXTS / 2);
}

/** What a task does before its learners are tested. */
function workBefore(kind: WorkKind, searchesLr: boolean): BaselineWork {
  return baselineOfId(kind)?.work ?? { choosesSamples: false, searchesLr };
}

type Stages = Readonly<Record<string, readonly [from: number, to: number]>>;

/** Which part of a task each of its stages belongs to, in order. */
const TRAINING_STAGES: Stages = { training: [0, 0.95], evaluating: [0.95, 1] };
const SEARCHING: Stages = { "choosing the learning rate": [0, 0.3], evaluating: [0.3, 1] };
const READING: Stages = {
  "reading train": [0, 0.65],
  "reading validation": [0.65, 0.7],
  "reading test": [0.7, 0.95],
  evaluating: [0.95, 1],
};
const READING_TEST: Stages = { "reading test": [0, 0.95], evaluating: [0.95, 1] };
const CHOOSING: Stages = {
  "choosing samples": [0, 0.2],
  "choosing the learning rate": [0.2, 0.4],
  evaluating: [0.4, 1],
};

/** Before the first outer step; together they take as long as a few dozen. */
const STARTING = new Set([
  "reading for class means",
  "matching class means",
  "choosing the first rate",
]);

function stageOf({ kind, stage, searchesLr }: TaskWork): readonly [from: number, to: number] {
  if (stage === "loading" || STARTING.has(stage)) return [0, 0];
  return stagesOf(workBefore(kind, searchesLr), searchesLr)[stage] ?? [0, 1];
}

function stagesOf(work: BaselineWork, isVariation: boolean): Stages {
  if (work.choosesSamples || isVariation) return CHOOSING;
  if (work.readsFeatures) return READING;
  if (work.readsTest) return READING_TEST;
  if (work.trains) return TRAINING_STAGES;
  return work.searchesLr ? SEARCHING : {};
}

function doneShare(task: TaskWork): number {
  if (task.state === "succeeded") return 1;
  if (task.state !== "running" || task.total === 0) return 0;
  const [from, to] = stageOf(task);
  return from + (to - from) * Math.min(1, task.done / task.total);
}

/** For the running stage the worker's estimate; for what follows, by the pace so far. */
function secondsLeft(parts: readonly Part[]): number | undefined {
  const overall = pace(parts);
  const kinds = new Set(parts.map(({ task }) => task.kind));
  const paces = new Map(
    [...kinds].map((kind) => [kind, pace(parts.filter(({ task }) => task.kind === kind))]),
  );
  const rests = parts.map((part) => {
    if (part.done === 1) return 0;
    const alike = paces.get(part.task.kind) ?? overall;
    return alike === undefined ? undefined : alike * part.cost * (1 - part.done);
  });
  if (rests.some((rest) => rest === undefined)) return undefined;
  const numRunning = parts.filter(({ task }) => task.state === "running").length;
  const known = rests.map((rest) => rest ?? 0);
  return Math.max(...known, sumOf(known) / Math.max(1, numRunning));
}

/** Seconds per unit of cost; undefined where nothing has run long enough. */
function pace(parts: readonly Part[]): number | undefined {
  const measured = parts.flatMap((part) => {
    const { task, cost, done } = part;
    if (task.state === "succeeded") return [{ seconds: task.ranS, cost }];
    const [, to] = stageOf(task);
    const ahead = to - done;
    if (task.state !== "running" || task.secondsLeft <= 0 || ahead <= 0) return [];
    return [{ seconds: task.secondsLeft, cost: cost * ahead }];
  });
  const cost = sumOf(measured.map((each) => each.cost));
  return cost === 0 ? undefined : sumOf(measured.map(({ seconds }) => seconds)) / cost;
}

function sumOf(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0);
}
