import { type Command, Option } from "commander";
import { invalid } from "../../errors.js";
import {
  type ExperimentSpec,
  ReplayBenchmark,
  type ReplayMethod,
  ReplaySpec,
} from "../../generated/stillhouse/v1/spec.js";
import { replayMethodWord } from "../../results/replay-names.js";
import { BASELINE_PATHS } from "../../settings/baseline-fields.js";
import { POOL_FIELDS } from "../../settings/pool.js";
import { REPLAY_METHODS } from "../../settings/replay.js";
import { BENCHMARKS } from "../../settings/replay-values.js";
import {
  type ArgumentSurroundings,
  draftOf,
  givenAssignments,
} from "../experiment/experiment-arguments.js";
import { addSettings } from "../experiment/experiment-command.js";
import { addGroupControls, groupFlagsOf } from "../group/group-arguments.js";
import type { GroupFlags } from "../group/group-command.js";
import { type Options, parseArguments, scriptCommand } from "../terminal/command-line.js";

/** What a person asks for. */
export interface ReplayRun extends GroupFlags {
  readonly kind: "run";
  /** The word for `--tasks`. */
  readonly tasks: string;
  readonly draft: ExperimentSpec;
}

export type ReplayRequest = { readonly kind: "help"; readonly text: string } | ReplayRun;

const CONTROLS = "Run:";
const LEARNING = "Continual learning:";
const SPLIT = "split:";
const METHODS: ReadonlyMap<string, ReplayMethod> = new Map(
  REPLAY_METHODS.map((method) => [replayMethodWord(method), method]),
);

/** Settings that continual learning has no choice of, or has flags of its own for. */
const LEFT_OUT: readonly string[] = [
  ...BASELINE_PATHS,
  ...POOL_FIELDS,
  "dataset.name",
  "seed",
  "model.init",
  "objective.kind",
  "objective.source_name",
  "objective.attack_class",
  "objective.target_class",
  "distilled.samples",
  "distilled.sample_classes",
  "distilled.blocks",
  "distilled.attention_labels",
  "distilled.attention_lambda",
  "distilled.attention_loss",
  "distilled.attention_reduction",
  "evaluation.baseline_inits",
  "baseline.full_inits",
  "baseline.full_epochs",
  "baseline.full_batch_size",
  "baseline.full_lr",
  "baseline.full_dropout",
];

const HELP = `
TASKS are what learners meet, one after the other:

  split-mnist      two digits of MNIST per task
  permuted-mnist   MNIST in each task, with its pixels in another order
  split-fashion    two classes of Fashion-MNIST per task, the last ones first
  split-cifar10    two classes of CIFAR-10 per task
  split:DATASET    some classes of any data set of images or texts, named as --dataset of experiment

METHODS are what learners remember of earlier tasks:

  naive      nothing
  simple     --per-class random real samples of each class, those that distillations start from
  distilled  as many distilled samples
  joint      all samples

--inits learners are trained per method and seed. Each seed draws and distils memories of its own;
learners of the same seed start alike, and see the same rows, whatever they remember.

Examples:
  npm run replay -- --tasks split-mnist
  npm run replay -- --tasks permuted-mnist --num-tasks 5 --methods simple,distilled
  npm run replay -- --tasks split:ag_news --model minilm --seeds 0,1,2 --inits 10

After an interruption the same command continues where it stopped.
Exit codes: 0 done, 1 failed, 2 wrong usage, 3 no server, 130 interrupted.
`;

const FLAGS: readonly (readonly [flags: string, help: string])[] = [
  ["--tasks <which>", `${[...BENCHMARKS.keys()].join(", ")} or ${SPLIT}DATASET`],
  ["--methods <which>", `Some of ${[...METHODS.keys()].join(",")} (default: all)`],
  ["--seeds <list>", "Seeds, each with memories and learners of its own (default: 0,1,2)"],
  ["--classes-per-task <n>", "Classes of each task that splits classes (default: 2)"],
  ["--class-order <list>", "Classes in the order in which they come (default: of the benchmark)"],
  ["--num-tasks <n>", "Tasks of permuted-mnist (default: 10)"],
  ["--task-steps <n>", "Steps of a learner per task (default: of the benchmark)"],
  ["--task-epochs <n>", "Instead of steps: passes over the rows of the task"],
  ["--task-batch-size <n>", "Samples per such step, of all tasks together"],
  ["--task-lr <rate>", "Rate of such a step, which is plain SGD (default: 0.05)"],
];

/**
 * Reads the arguments of `replay`.
 *
 * @throws StillhouseError INVALID for every mistake in them.
 */
export function parseReplayArguments(
  argv: readonly string[],
  surroundings: ArgumentSurroundings,
): ReplayRequest {
  const parsed = parseArguments(replayCommand(surroundings.columns), argv);
  if (parsed.kind === "help") return parsed;
  const { options } = parsed;
  const { tasks } = options;
  if (typeof tasks !== "string") throw unknownTasks(undefined);
  const benchmark = benchmarkOf(tasks);
  const model = options.model ?? benchmark.model;
  const given = givenAssignments({ ...options, dataset: benchmark.dataset, model }, surroundings);
  return {
    kind: "run",
    tasks,
    draft: {
      ...draftOf(given, surroundings.dataDir),
      replay: replayOf(options, benchmark.benchmark, benchmark.classOrder),
    },
    ...groupFlagsOf(options, surroundings),
    isShownAsOne: true,
  };
}

function benchmarkOf(tasks: string) {
  const known = BENCHMARKS.get(tasks);
  if (known !== undefined) return known;
  const dataset = tasks.startsWith(SPLIT) ? tasks.slice(SPLIT.length) : "";
  if (dataset === "") throw unknownTasks(tasks);
  return { benchmark: ReplayBenchmark.SPLIT, dataset, model: undefined, classOrder: [] };
}

function unknownTasks(got: string | undefined) {
  const allowed = `${[...BENCHMARKS.keys()].join(", ")} or ${SPLIT}DATASET`;
  return invalid("replay.benchmark", `--tasks must be ${allowed}, got ${got ?? "nothing"}`);
}

function replayOf(
  options: Options,
  benchmark: ReplayBenchmark,
  classOrder: readonly number[],
): ReplaySpec {
  return ReplaySpec.fromPartial({
    benchmark,
    methods: methodsOf(options.methods),
    seeds: numbersOf(options.seeds, "--seeds", "replay.seeds"),
    classesPerTask: countOf(options.classesPerTask, "--classes-per-task", "classes_per_task"),
    classOrder:
      options.classOrder === undefined
        ? [...classOrder]
        : numbersOf(options.classOrder, "--class-order", "replay.class_order"),
    numPermutations: countOf(options.numTasks, "--num-tasks", "num_permutations"),
    steps: countOf(options.taskSteps, "--task-steps", "steps"),
    epochs: countOf(options.taskEpochs, "--task-epochs", "epochs"),
    batchSize: countOf(options.taskBatchSize, "--task-batch-size", "batch_size"),
    lr: rateOf(options.taskLr),
  });
}

function methodsOf(raw: unknown): ReplayMethod[] {
  if (raw === undefined || raw === "all") return [];
  const words = String(raw).split(",");
  return words.map((word) => {
    const method = METHODS.get(word.trim());
    if (method !== undefined && new Set(words).size === words.length) return method;
    const allowed = [...METHODS.keys()].join(",");
    throw invalid("replay.methods", `--methods must be some of ${allowed}, each once, got ${raw}`);
  });
}

function numbersOf(raw: unknown, flag: string, field: string): number[] {
  if (raw === undefined) return [];
  const words = String(raw).split(",");
  if (words.every((word) => /^\d{1,10}$/.test(word)) && new Set(words).size === words.length) {
    return words.map(Number);
  }
  throw invalid(field, `${flag} must be distinct whole numbers with commas between, got ${raw}`);
}

/** 0 where it is not given. */
function countOf(raw: unknown, flag: string, field: string): number {
  if (raw === undefined) return 0;
  if (/^[1-9]\d{0,6}$/.test(String(raw))) return Number(raw);
  throw invalid(`replay.${field}`, `${flag} must be a whole number ≥ 1, got ${raw}`);
}

/** 0 where it is not given. */
function rateOf(raw: unknown): number {
  if (raw === undefined) return 0;
  const rate = /^(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(String(raw)) ? Number(raw) : 0;
  if (rate > 0 && Number.isFinite(rate)) return rate;
  throw invalid("replay.lr", `--task-lr must be a number > 0, got ${raw}`);
}

function replayCommand(columns: number | undefined): Command {
  const command = scriptCommand("replay", columns, CONTROLS)
    .description(
      "Trains learners on one task after the other, with distilled samples of earlier tasks as " +
        "their memory, and measures what they forget (Rosasco et al., 2021).",
    )
    .addHelpText("after", HELP);
  for (const [flags, help] of FLAGS) {
    command.addOption(new Option(flags, help).helpGroup(LEARNING));
  }
  addSettings(command, LEFT_OUT);
  addGroupControls(command, CONTROLS, [
    ["--config <file>", "Read settings from a YAML or JSON file"],
    ["--dry-run", "Show the resolved experiment and its tasks, and stop"],
  ]);
  return command;
}
