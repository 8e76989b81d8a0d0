import { invalid } from "../../errors.js";
import { NO_BASELINES } from "../../settings/baseline-fields.js";
import type { FieldValue } from "../../settings/field-path.js";
import { SETTINGS } from "../../settings/settings.js";
import {
  type ArgumentSurroundings,
  draftOf,
  givenAssignments,
} from "../experiment/experiment-arguments.js";
import { groupFlagsOf } from "../group/group-arguments.js";
import type { GroupFlags } from "../group/group-command.js";
import type { Member } from "../group/group-runner.js";
import { attributeOf, type Options } from "../terminal/command-line.js";
import { npmCommand } from "../terminal/npm-command.js";
import { type SearchAxis, searchAxis } from "./search-space.js";
import { type SearchSettings, settingsText } from "./trial.js";

/** A search that a person asks for. */
export interface SearchRequest extends GroupFlags {
  readonly kind: "search";
  readonly axes: readonly SearchAxis[];
  readonly numTrials: number;
  /** Seed of the optimiser and of every distillation. */
  readonly seed: number;
  /** Trials that run at a time. */
  readonly maxParallel: number;
  /** The experiment that was asked for, with the settings that it has without a search. */
  readonly unsearched: Member;
  /** A trial: distilled and validated, without the test split. */
  readonly trialOf: (settings: SearchSettings) => Member;
  /** The experiment that was asked for, with these settings. */
  readonly experimentOf: (settings: SearchSettings) => Member;
  /** What repeats that experiment. */
  readonly commandOf: (settings: SearchSettings) => string;
}

const DEFAULT_TRIALS = 20;
const MAX_TRIALS = 10_000;

/** Nothing is tested, so that the test split has no say in what is chosen. */
const UNTESTED: readonly [string, FieldValue][] = [["evaluation.inits", 0], ...NO_BASELINES];

/**
 * Reads the flags of a search.
 *
 * @throws StillhouseError INVALID for every mistake in them.
 */
export function searchRequest(options: Options, surroundings: ArgumentSurroundings): SearchRequest {
  const axes = SETTINGS.flatMap((setting) => {
    const raw = options[attributeOf(setting.flag)];
    const isText = setting.kind === "text" || setting.kind === "subset";
    const axis = typeof raw === "string" && !isText ? searchAxis(setting, raw) : undefined;
    return axis === undefined ? [] : [axis];
  });
  if (options.detach === true) {
    throw invalid("", "--search chooses by ended trials, so it does not work with --detach");
  }
  if (axes.length === 0) {
    throw invalid(
      "",
      "--search needs what to search, such as --lr 0.005..0.05:log or --sl none,restricted",
    );
  }
  const given = (settings: SearchSettings) => {
    const chosen = [...settings].map(([flag, text]) => [attributeOf(flag), text] as const);
    return givenAssignments({ ...options, ...Object.fromEntries(chosen) }, surroundings);
  };
  const member = (settings: SearchSettings, changes: readonly [string, FieldValue][]): Member => ({
    label: settingsText(settings),
    draft: draftOf(new Map([...given(settings), ...changes]), surroundings.dataDir),
  });
  const others = Object.fromEntries(axes.map(({ flag }) => [attributeOf(flag), undefined]));
  const unsearched = givenAssignments({ ...options, ...others }, surroundings);
  const flags = groupFlagsOf(options, surroundings);
  const seed = given(firstOf(axes)).get("seed");
  return {
    kind: "search",
    axes,
    numTrials: trialsOf(options.trials),
    seed: typeof seed === "number" ? seed : 0,
    ...flags,
    maxParallel: flags.maxParallel ?? 1,
    unsearched: { label: "", draft: draftOf(unsearched, surroundings.dataDir) },
    trialOf: (settings) => member(settings, UNTESTED),
    experimentOf: (settings) => member(settings, []),
    commandOf: (settings) => npmCommand("experiment", repeated(options, settings)),
  };
}

/** Some settings of the space, for what all of it have in common. */
function firstOf(axes: readonly SearchAxis[]): SearchSettings {
  return new Map(
    axes.map((axis) => [axis.flag, axis.kind === "range" ? `${axis.low}` : (axis.values[0] ?? "")]),
  );
}

function repeated(options: Options, settings: SearchSettings): string[] {
  const words = SETTINGS.flatMap(({ flag }) => {
    const value = settings.get(flag) ?? options[attributeOf(flag)];
    if (value === undefined) return [];
    if (typeof value === "boolean") return [value ? `--${flag}` : `--no-${flag}`];
    return [`--${flag}`, String(value)];
  });
  return typeof options.config === "string" ? ["--config", options.config, ...words] : words;
}

function trialsOf(raw: unknown): number {
  if (raw === undefined) return DEFAULT_TRIALS;
  const count = typeof raw === "string" && /^\d{1,6}$/.test(raw) ? Number(raw) : 0;
  if (count >= 1 && count <= MAX_TRIALS) return count;
  throw invalid("", `--trials must be a whole number from 1 to ${MAX_TRIALS}, got ${raw}`);
}
