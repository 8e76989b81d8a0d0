import { invalid } from "../../errors.js";
import type { ExperimentSpec } from "../../generated/stillhouse/v1/spec.js";
import type { FieldValue } from "../../settings/field-path.js";
import type { Setting } from "../../settings/setting.js";
import { SETTINGS } from "../../settings/settings.js";
import type { Assignments } from "../../settings/values.js";
import {
  type ArgumentSurroundings,
  draftOf,
  givenAssignments,
} from "../experiment/experiment-arguments.js";
import { addSettings } from "../experiment/experiment-command.js";
import { addGroupControls, groupFlagsOf, MEMBER_CONTROLS } from "../group/group-arguments.js";
import type { GroupFlags } from "../group/group-command.js";
import {
  attributeOf,
  type Options,
  parseArguments,
  scriptCommand,
} from "../terminal/command-line.js";
import { type SearchRequest, searchRequest } from "./search-arguments.js";
import { choicesOf } from "./search-space.js";

/** One experiment of a sweep. */
export interface Cell {
  /** What a person wrote for each axis, by its flag. */
  readonly settings: ReadonlyMap<string, string>;
  readonly label: string;
  readonly draft: ExperimentSpec;
}

/** What a person asks for. */
export type SweepRequest =
  | { readonly kind: "help"; readonly text: string }
  | ({
      readonly kind: "run";
      readonly axes: readonly string[];
      readonly cells: readonly Cell[];
    } & GroupFlags)
  | SearchRequest;

/** More than this is a typing mistake. */
const MAX_CELLS = 10_000;
/** Letters of the name of a sweep. */
const MAX_NAME = 200;
const CONTROLS = "Run:";
/** Texts may have commas of their own, and a list of baselines is one value. */
const NO_AXES = ["data-dir", "text-column", "name", "baselines"];

const HELP = `
Every flag that has a list is an axis; all combinations of the axes are run.

Examples:
  npm run sweep -- --sl none,restricted,unrestricted --al none,cls,all --steps 1,3
  npm run sweep -- --lr 0.005,0.01,0.02 --seed 0,1,2 --outer-steps 300 --json
  npm run sweep -- --search --lr 0.005..0.05:log --lambda 1,10,100 --trials 20

With --search, flags with a range or a list are searched instead: first comes what they are without
a search, then an optimiser (the TPE of Optuna) suggests one set of settings after the other by the
validation accuracy of those before; only the one with the highest is tested.

After an interruption the same command continues where it stopped. An experiment that fails does not stop the
others.
Exit codes: 0 done, 1 failed, 2 wrong usage, 3 no server, 130 interrupted.
`;

/**
 * Reads the arguments of `sweep`.
 *
 * @throws StillhouseError INVALID for every mistake in them.
 */
export function parseSweepArguments(
  argv: readonly string[],
  surroundings: ArgumentSurroundings,
): SweepRequest {
  const parsed = parseArguments(sweepCommand(surroundings.columns), argv);
  if (parsed.kind === "help") return parsed;
  const { options } = parsed;
  if (options.search === true) {
    return searchRequest(options, surroundings);
  }
  if (options.trials !== undefined) throw invalid("", "--trials is for --search; add it");
  const axes = SETTINGS.flatMap((setting) => axisOf(setting, options));
  const cells = combinations(axes).map((choice) =>
    cellOf(choice, givenAssignments({ ...options, ...choice.options }, surroundings), surroundings),
  );
  return {
    kind: "run",
    axes: axes.map(({ flag }) => flag),
    cells,
    ...groupFlagsOf(options, surroundings),
    sweepName: nameOf(axes, cells),
  };
}

function nameOf(axes: readonly Axis[], cells: readonly Cell[]): string {
  const text = axes.map(({ flag, values }) => `--${flag} ${values.join(",")}`).join(" ");
  return (cells[0]?.draft.name || text).slice(0, MAX_NAME);
}

interface Axis {
  readonly flag: string;
  readonly values: readonly string[];
}

interface Choice {
  /** The options of the command with one value of each axis. */
  readonly options: Options;
  readonly settings: ReadonlyMap<string, string>;
}

function axisOf(setting: Setting, options: Options): Axis[] {
  const { flag } = setting;
  const raw = options[attributeOf(flag)];
  if (typeof raw !== "string" || !raw.includes(",") || NO_AXES.includes(flag)) return [];
  return [{ flag, values: choicesOf(setting, raw) }];
}

function combinations(axes: readonly Axis[]): Choice[] {
  const count = axes.reduce((product, { values }) => product * values.length, 1);
  if (count > MAX_CELLS) {
    throw invalid("", `a sweep must have at most ${MAX_CELLS} experiments, got ${count}`);
  }
  let choices: Choice[] = [{ options: {}, settings: new Map() }];
  for (const { flag, values } of axes) {
    choices = choices.flatMap(({ options, settings }) =>
      values.map((value) => ({
        options: { ...options, [attributeOf(flag)]: value },
        settings: new Map([...settings, [flag, value]]),
      })),
    );
  }
  return choices;
}

function cellOf({ settings }: Choice, given: Assignments, { dataDir }: ArgumentSurroundings): Cell {
  const values = new Map<string, FieldValue>(given);
  const label = [...settings].map(([flag, value]) => `--${flag} ${value}`).join(" ");
  return { settings, label: label || "experiment", draft: draftOf(values, dataDir) };
}

function sweepCommand(columns: number | undefined) {
  const command = scriptCommand("sweep", columns, CONTROLS)
    .description(
      "Runs an experiment for every combination of the values that flags list, or searches for the " +
        "settings with the highest validation accuracy.",
    )
    .addHelpText("after", HELP);
  addSettings(command);
  addGroupControls(command, CONTROLS, [
    ...MEMBER_CONTROLS,
    ["--search", "Search ranges and lists for the highest validation accuracy"],
    ["--trials <n>", "With --search: how many settings are tried (default: 20)"],
    [
      "--max-parallel <n>",
      "Most experiments that are started and not yet done (default: all; with --search 1)",
    ],
  ]);
  return command;
}
