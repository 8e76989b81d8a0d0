import { Option } from "commander";
import { OF_SAMPLES } from "../../baselines.js";
import { invalid } from "../../errors.js";
import {
  type ExperimentSpec,
  RobustnessCheck,
  RobustnessSpec,
} from "../../generated/stillhouse/v1/spec.js";
import { BASELINE_PATHS } from "../../settings/baseline-fields.js";
import { SETTINGS } from "../../settings/settings.js";
import type { Assignments } from "../../settings/values.js";
import {
  type ArgumentSurroundings,
  draftOf,
  givenAssignments,
  modelName,
} from "../experiment/experiment-arguments.js";
import { addSettings } from "../experiment/experiment-command.js";
import { addGroupControls, groupFlagsOf } from "../group/group-arguments.js";
import type { GroupFlags } from "../group/group-command.js";
import { parseArguments, scriptCommand } from "../terminal/command-line.js";

/** What a person asks for. */
export interface RobustnessRun extends GroupFlags {
  readonly kind: "run";
  /** Folder of an artifact, its id, or the id of an experiment. */
  readonly subject: string;
  /** The draft for the artifact of that id. */
  readonly draftFor: (artifactId: string) => ExperimentSpec;
}

export type RobustnessRequest = { readonly kind: "help"; readonly text: string } | RobustnessRun;

const CONTROLS = "Run:";
const WHAT = "What is tried:";

/** The settings that do not come from the artifact. */
const FLAGS = ["data-dir", "inits", "baselines", "device", "memory", "precision", "name"];

const CHECKS: ReadonlyMap<string, RobustnessCheck> = new Map([
  ["labels", RobustnessCheck.LABELS],
  ["steps", RobustnessCheck.STEPS],
  ["optimiser", RobustnessCheck.OPTIMISER],
  ["order", RobustnessCheck.ORDER],
  ["head-init", RobustnessCheck.HEAD_INIT],
  ["attention", RobustnessCheck.ATTENTION],
  ["hidden", RobustnessCheck.HIDDEN],
  ["decoding", RobustnessCheck.DECODING],
]);

/** What the scores are relative to. */
const RELATIVE_TO = ["full", ...OF_SAMPLES.map(({ id }) => id)].map((id) => `baseline.${id}`);

const DEFAULT_BASELINES: Assignments = new Map(
  BASELINE_PATHS.map((path) => [path, RELATIVE_TO.includes(path)]),
);

const HELP = `
ARTIFACT is the folder of distilled data, or the id of the experiment that distilled it.

  labels     one-hot labels; real samples with the labels of the distilled data: with the
             baselines, what the relative scores are made of
  steps      other numbers of gradient steps: --steps, else 2 T and 5 T
  optimiser  Adam instead of SGD
  order      one sample per gradient step, mini-batches of half the samples, shuffled
  head-init  the other initialisation of the head
  attention  without attention labels
  hidden     without hidden labels
  decoding   the tokens nearest to the distilled vectors, with their labels and with one-hot ones;
             for texts alone

Every row has the same learners, whose accuracy is compared one by one with the plain evaluation.
Where a rate is searched, it is chosen on validation. Hard-label recovery needs the baseline full.
With one sample per class, herding and k-centre choose the same ones.

Examples:
  npm run robustness -- 12cbf1a8b8
  npm run robustness -- 12cbf1a8b8 --inits 10 --checks labels,decoding --baselines random,herding
  npm run robustness -- 12cbf1a8b8 --checks none --baselines none --transfer-to bert-base-uncased

After an interruption the same command continues where it stopped.
Exit codes: 0 done, 1 failed, 2 wrong usage, 3 no server, 130 interrupted.
`;

/**
 * Reads the arguments of `robustness`.
 *
 * @throws StillhouseError INVALID for every mistake in them.
 */
export function parseRobustnessArguments(
  argv: readonly string[],
  surroundings: ArgumentSurroundings,
): RobustnessRequest {
  const parsed = parseArguments(robustnessCommand(surroundings.columns), argv);
  if (parsed.kind === "help") return parsed;
  const { options, words } = parsed;
  const [subject] = words;
  if (subject === undefined) throw invalid("artifact", "which artifact? Give a folder or an id");
  // An experiment has one value of --steps, but here it is a list.
  const given = givenAssignments({ ...options, steps: undefined }, surroundings);
  const inits = given.get("evaluation.inits");
  if (inits === 0) throw invalid("evaluation.inits", "--inits must be ≥ 1, got 0");
  const settings: Assignments = new Map([
    ...DEFAULT_BASELINES,
    ...given,
    ...(inits === undefined ? [] : [["evaluation.baseline_inits", inits] as const]),
  ]);
  const models = (options.transferTo ?? []) as string[];
  const wanted = {
    checks: checksOf(options.checks),
    steps: stepsOf(options.steps),
    transferTo: models.map((name) => ({ name: modelName(name, surroundings.userFolder) })),
  };
  return {
    kind: "run",
    subject,
    draftFor: (artifactId) => ({
      ...draftOf(settings, surroundings.dataDir),
      robustness: RobustnessSpec.fromPartial({ ...wanted, artifactId }),
    }),
    ...groupFlagsOf(options, surroundings),
    listsTasks: true,
  };
}

function robustnessCommand(columns: number | undefined) {
  const command = scriptCommand("robustness", columns, CONTROLS)
    .usage("ARTIFACT [flags]")
    .argument("[artifact]", "folder or id")
    .description(
      "Measures distilled data under conditions that it was not distilled for, and its " +
        "scores relative to real samples.",
    )
    .addHelpText("after", HELP);
  const others = SETTINGS.filter(({ flag }) => !FLAGS.includes(flag));
  addSettings(
    command,
    others.map(({ path }) => path),
  );
  const words = [...CHECKS.keys()].join(",");
  const what: [string, string][] = [
    ["--checks <which>", `all, none, or some of ${words} (default: all)`],
    ["--steps <list>", "Numbers of gradient steps, such as 2,5,10"],
    ["--transfer-to <model...>", "Encoders of the same width, or networks, to train as well"],
  ];
  for (const [flags, help] of what) command.addOption(new Option(flags, help).helpGroup(WHAT));
  addGroupControls(command, CONTROLS, [["--dry-run", "Show the evaluations, and stop"]]);
  return command;
}

function checksOf(raw: unknown): RobustnessCheck[] {
  if (raw === undefined || raw === "all") return [...CHECKS.values()];
  if (raw === "none") return [];
  const names = String(raw).split(",");
  return names.map((word) => {
    const check = CHECKS.get(word.trim());
    if (check !== undefined && new Set(names).size === names.length) return check;
    const allowed = `all, none, or some of ${[...CHECKS.keys()].join(",")}`;
    throw invalid("robustness.checks", `--checks must be ${allowed}, got ${raw}`);
  });
}

function stepsOf(raw: unknown): number[] {
  if (raw === undefined) return [];
  const isList = typeof raw === "string" && /^[1-9]\d{0,3}(,[1-9]\d{0,3})*$/.test(raw);
  const steps = isList ? raw.split(",").map(Number) : [];
  if (isList && new Set(steps).size === steps.length) return steps;
  throw invalid(
    "robustness.steps",
    `--steps must be distinct whole numbers from 1 to 9999, such as 2,5, got ${raw}`,
  );
}
