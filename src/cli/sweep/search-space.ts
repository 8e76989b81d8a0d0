import { invalid } from "../../errors.js";
import type { ExperimentSpec } from "../../generated/stillhouse/v1/spec.js";
import { readField } from "../../settings/field-path.js";
import type { NumberSetting, Setting } from "../../settings/setting.js";
import { findSetting, SETTINGS_BY_GROUP } from "../../settings/settings.js";
import { parseValue, writtenValue } from "../../settings/values.js";

/** A setting that is searched, by its flag. */
export type SearchAxis =
  | { readonly kind: "choices"; readonly flag: string; readonly values: readonly string[] }
  | {
      readonly kind: "range";
      readonly flag: string;
      /** Both ends belong to it. */
      readonly low: number;
      readonly high: number;
      readonly isInteger: boolean;
      /** Whether equal factors count as equal distances. */
      readonly isLog: boolean;
    };

const RANGE = /^(.+?)\.\.(.+?)(:log)?$/;
/** Digits of a suggested number: few enough to type, and more would change nothing that matters. */
const DIGITS = 4;

/** Others do not change what is distilled, or change what it is measured on. */
const SEARCHED_GROUPS = [
  "Distilled data",
  "Inner steps (how a learner is trained on the distilled data)",
  "Outer steps (how the distilled data is trained)",
] as const;
const NOT_SEARCHED = ["validations", "validation-inits", "artifact-dtype"];
const SEARCHED = [
  "max-length",
  ...SEARCHED_GROUPS.flatMap((group) => SETTINGS_BY_GROUP[group].map(({ flag }) => flag)),
].filter((flag) => !NOT_SEARCHED.includes(flag));

/**
 * Reads a flag's text as an axis: `0.005..0.05:log`, `1..3` or `none,restricted`.
 *
 * @returns undefined where it is one value.
 * @throws StillhouseError INVALID for a mistake in it.
 */
export function searchAxis(setting: Setting, raw: string): SearchAxis | undefined {
  const { flag, path } = setting;
  const range = RANGE.exec(raw);
  if (range === null && !raw.includes(",")) return undefined;
  if (!SEARCHED.includes(flag)) {
    throw invalid(path, `--${flag} cannot be searched, got ${raw}; give it one value`);
  }
  if (range === null) {
    return { kind: "choices", flag, values: choicesOf(setting, raw) };
  }
  if (setting.kind !== "number") {
    throw invalid(path, `--${flag} has no range, got ${raw}; list its values, such as a,b`);
  }
  return rangeOf(setting, raw, range);
}

/** The values of a list, each checked on its own, so that a mistake names the value. */
export function choicesOf(setting: Setting, raw: string): string[] {
  const { flag, path } = setting;
  const values = raw.split(",").map((value) => value.trim());
  const read = values.map((value) => JSON.stringify([...parseValue(setting, value, `--${flag}`)]));
  const repeated = values.find((_, at) => read.indexOf(read[at] as string) !== at);
  if (repeated === undefined) return values;
  throw invalid(path, `--${flag} must have distinct values, got ${repeated} twice`);
}

/** The axis as the optimiser gets it. */
export function axisDocument(axis: SearchAxis): object {
  if (axis.kind === "choices") return { choices: axis.values };
  return { low: axis.low, high: axis.high, integer: axis.isInteger, log: axis.isLog };
}

/** A suggested value as one would type it. */
export function suggestedText(axis: SearchAxis, value: string | number): string {
  if (axis.kind === "choices" || axis.isInteger) return String(value);
  const rounded = Number(Number(value).toPrecision(DIGITS));
  return String(Math.min(axis.high, Math.max(axis.low, rounded)));
}

/**
 * What a resolved spec has on the axis, as one would type it; undefined where that is not on it.
 */
export function textInSpec(axis: SearchAxis, spec: ExperimentSpec): string | undefined {
  const setting = findSetting(axis.flag);
  const value = setting && readField(spec, setting.path);
  if (setting === undefined || value === undefined) return undefined;
  if (axis.kind === "choices") {
    return axis.values.find((text) => parseValue(setting, text, "").get(setting.path) === value);
  }
  const isOnIt = Number(value) >= axis.low && Number(value) <= axis.high;
  return isOnIt ? writtenValue(setting, value) : undefined;
}

/** The inverse of `suggestedText`. */
export function suggestedValue(axis: SearchAxis, text: string): string | number {
  return axis.kind === "choices" ? text : Number(text);
}

function rangeOf(setting: NumberSetting, raw: string, match: RegExpExecArray): SearchAxis {
  const { flag, path, range } = setting;
  const [low, high] = [match[1], match[2]].map((text) =>
    Number(parseValue(setting, text, `--${flag}`).get(path)),
  ) as [number, number];
  const isLog = match[3] !== undefined;
  if (low >= high) throw invalid(path, `--${flag} must rise from low to high, got ${raw}`);
  if (isLog && low <= 0) throw invalid(path, `--${flag} must be > 0 for :log, got ${raw}`);
  return { kind: "range", flag, low, high, isInteger: range.integer === true, isLog };
}
