import { resolve } from "node:path";
import { Option } from "commander";
import { internal, invalid } from "../../errors.js";
import { SETTINGS } from "../../settings/settings.js";
import type { ArgumentSurroundings } from "../experiment/experiment-arguments.js";
import { addSettings } from "../experiment/experiment-command.js";
import { guarded } from "../group/group-command.js";
import { robustnessResult } from "../results/robustness-result.js";
import { subjectOf } from "../results/subject.js";
import type { ExperimentOutput } from "../run/experiment-output.js";
import {
  attributeOf,
  type Options,
  type ParsedArguments,
  parseArguments,
  scriptCommand,
} from "../terminal/command-line.js";
import { type Claim, readClaim } from "./claim.js";
import { measuredRobustness, type RobustnessSurroundings } from "./robustness.js";
import { parseRobustnessArguments, type RobustnessRun } from "./robustness-arguments.js";
import {
  type VerifiedRow,
  verificationTable,
  verifiedDocument,
  verifiedRow,
} from "./verification.js";

/** In percentage points. */
const DEFAULT_TOLERANCE = 0.5;
/** Exit code. */
const NOT_CONFIRMED = 1;
/** Settings that go on to the measurement as they are. */
const PASSED_ON = ["data-dir", "device", "memory", "precision"];

const CONTROLS = "Run:";

const HELP = `
FOLDER is what npm run stillhouse -- export ID, or npm run experiment -- --export FOLDER, has
written. Its files are compared with their hashes; data set and model must have the fingerprints
that its artifact names. Then learners with the same seeds are trained on the distilled data here,
and measured on the test split.

Another machine rounds in another way, so that a learner may differ by some rows of the test split;
the same machine and versions give the same figures.

Examples:
  npm run verify -- result
  npm run verify -- result --inits 5 --full

After an interruption the same command continues where it stopped.
Exit codes: 0 confirmed, 1 not confirmed or failed, 2 wrong usage, 130 interrupted.
`;

/**
 * The command `verify`: whether an exported result is also found here.
 *
 * @param argv what follows the command's name.
 * @returns the exit code; 1 where the means lie further apart than allowed.
 */
export function runVerify(
  argv: readonly string[],
  surroundings: RobustnessSurroundings,
): Promise<number> {
  return guarded(argv, surroundings, async (output) => {
    const parsed = parseVerifyArguments(argv, surroundings.terminal.columns);
    if (parsed.kind === "help") {
      output.help(parsed.text);
      return undefined;
    }
    const { options, words } = parsed;
    const [word] = words;
    if (word === undefined) throw invalid("", "which result? Give the folder of an export");
    const tolerance = toleranceOf(options.tolerance);
    const claim = readClaim(resolve(surroundings.userFolder, word), word);
    const request = measurementOf(claim, options, { ...surroundings, columns: undefined });
    const experiment = await measuredRobustness(request, surroundings, output);
    if (experiment === undefined) throw internal("the measurement of verify was left alone");
    const { conditions, baselines } = robustnessResult(experiment);
    const pairs = [
      { claimed: claim.distilled, measured: conditions[0]?.row },
      { claimed: claim.full, measured: baselines.find(({ id }) => id === "full") },
    ];
    const rows = pairs.flatMap(({ claimed, measured }) =>
      claimed && measured ? (verifiedRow(claimed, measured, tolerance) ?? []) : [],
    );
    show(claim, rows, tolerance, surroundings, output);
    return rows.every(({ isConfirmed }) => isConfirmed) ? undefined : NOT_CONFIRMED;
  });
}

/** The same learners, and nothing else. */
function measurementOf(
  { artifactFolder, distilled, full }: Claim,
  options: Options,
  surroundings: ArgumentSurroundings,
): RobustnessRun {
  if (options.full === true && full === undefined) {
    throw invalid("", "--full: the folder has no result of full data");
  }
  const inits = initsOf(options.inits, distilled.learners.size);
  const passedOn = PASSED_ON.flatMap((flag) => {
    const value = options[attributeOf(flag)];
    return typeof value === "string" ? [`--${flag}`, value] : [];
  });
  const words = [
    artifactFolder,
    ...["--checks", "none", "--baselines", options.full === true ? "full" : "none"],
    ...["--inits", String(inits), "--name", "verify", ...passedOn],
    ...(options.fresh === true ? ["--fresh"] : []),
  ];
  const request = parseRobustnessArguments(words, surroundings);
  if (request.kind === "help") throw internal("verify asked robustness for its help");
  return request;
}

function show(
  { experiment }: Claim,
  rows: readonly VerifiedRow[],
  tolerance: number,
  { terminal }: Pick<RobustnessSurroundings, "terminal">,
  output: ExperimentOutput,
): void {
  const isConfirmed = rows.every((row) => row.isConfirmed);
  if (output.isJson) {
    output.document({
      experiment_id: experiment.id,
      confirmed: isConfirmed,
      tolerance,
      rows: rows.map(verifiedDocument),
    });
    return;
  }
  const points = Number((tolerance * 100).toPrecision(3));
  const verdict = isConfirmed
    ? `Confirmed: no mean is more than ${points} points from the claim.`
    : `Not confirmed: a mean is more than ${points} points from the claim.`;
  terminal.stdout.write(
    `\n${subjectOf(experiment.spec)}\n${verificationTable(rows)}\n` +
      `difference: here less claimed, over learners with the same seeds; equal: to the row\n${verdict}\n`,
  );
}

/** @throws StillhouseError INVALID for every mistake in the arguments */
export function parseVerifyArguments(
  argv: readonly string[],
  columns: number | undefined,
): ParsedArguments {
  const command = scriptCommand("verify", columns, CONTROLS)
    .usage("FOLDER [flags]")
    .argument("[folder]", "of an export")
    .description("Trains the learners of an exported result again, and compares their accuracies.")
    .addHelpText("after", HELP);
  const others = SETTINGS.filter(({ flag }) => !PASSED_ON.includes(flag));
  addSettings(
    command,
    others.map(({ path }) => path),
  );
  const flags: (readonly [string, string])[] = [
    ["--inits <n>", "The first n of its test learners (default: all)"],
    ["--full", "Also train on the full data again"],
    [
      "--tolerance <points>",
      `How far a mean may be from the claim, in percentage points (default: ${DEFAULT_TOLERANCE})`,
    ],
    ["--fresh", "Compute everything again, also results that exist"],
    ["--json", "Print one JSON document on stdout, progress as plain lines on stderr"],
  ];
  for (const [flag, help] of flags) command.addOption(new Option(flag, help).helpGroup(CONTROLS));
  return parseArguments(command, argv);
}

function initsOf(raw: unknown, claimed: number): number {
  if (raw === undefined) return claimed;
  const inits = typeof raw === "string" && /^\d{1,6}$/.test(raw) ? Number(raw) : 0;
  if (inits >= 1 && inits <= claimed) return inits;
  throw invalid(
    "",
    `--inits must be a whole number from 1 to ${claimed}, the learners of the result, got ${raw}`,
  );
}

/** @returns a fraction */
function toleranceOf(raw: unknown): number {
  if (raw === undefined) return DEFAULT_TOLERANCE / 100;
  const points =
    typeof raw === "string" && /^\d{1,3}(\.\d+)?$/.test(raw) ? Number(raw) : Number.NaN;
  if (points <= 100) return points / 100;
  throw invalid("", `--tolerance must be from 0 to 100 percentage points, got ${raw}`);
}
