import { invalid } from "../errors.js";
import type { FieldValue } from "./field-path.js";
import { describeRange, inRange } from "./range.js";
import {
  allowedWords,
  type ChoiceSetting,
  fieldsOf,
  type NumberSetting,
  type Setting,
  type SubsetSetting,
  type TextSetting,
} from "./setting.js";
import { shown } from "./shown.js";
import { suggest } from "./suggestion.js";

/** Values by the path of their field. */
export type Assignments = ReadonlyMap<string, FieldValue>;

/** Decimal notation only: no hexadecimal, no separators, no Infinity. */
const NUMBER = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i;

/**
 * Parses what a person wrote for a setting.
 *
 * @param raw text of a flag, or a value of a config file.
 * @param label how the sentence of an error names the setting, such as `--inner-lr`.
 * @throws StillhouseError INVALID with the field's path when the setting does not take the value.
 */
export function parseValue(setting: Setting, raw: unknown, label: string): Assignments {
  switch (setting.kind) {
    case "subset":
      return parseSubset(setting, raw, label);
    case "choice":
      return new Map([[setting.path, parseChoice(setting, raw, label)]]);
    case "number":
      return new Map([[setting.path, parseNumber(setting, raw, label)]]);
    case "switch":
      if (raw === true || raw === "true") return new Map([[setting.path, true]]);
      if (raw === false || raw === "false") return new Map([[setting.path, false]]);
      throw mustBe(setting, label, allowedWords(setting), raw);
    case "text": {
      const value = textOf(setting, raw);
      if (typeof value === "string" && setting.pattern.test(value)) {
        return new Map([[setting.path, value]]);
      }
      throw mustBe(setting, label, setting.allowed, raw);
    }
  }
}

/**
 * Checks a value of a spec.
 *
 * @param path a field of the setting.
 * @throws StillhouseError INVALID.
 */
export function checkField(setting: Setting, path: string, value: FieldValue): void {
  const label = `--${setting.flag}`;
  switch (setting.kind) {
    case "number":
      checkNumber(setting, value, label);
      return;
    case "choice":
      if (!Object.values(setting.choices).includes(value as string)) {
        throw mustBe(setting, label, allowedWords(setting), value);
      }
      return;
    case "text":
      if (typeof value !== "string" || !setting.pattern.test(value)) {
        throw mustBe(setting, label, setting.allowed, value);
      }
      return;
    default:
      if (typeof value !== "boolean") throw invalid(path, `${path} must be true or false`);
  }
}

/** A value of the spec as a person would write it. */
export function writtenValue(setting: Setting, value: FieldValue): string {
  if (setting.kind !== "choice") return String(value);
  const word = Object.entries(setting.choices).find(([, inSpec]) => inSpec === value)?.[0];
  return word ?? String(value);
}

function textOf({ repeats }: TextSetting, raw: unknown): unknown {
  if (repeats && Array.isArray(raw)) return raw.join(",");
  return typeof raw === "number" ? String(raw) : raw;
}

function parseChoice(setting: ChoiceSetting, raw: unknown, label: string): string {
  const words = Object.keys(setting.choices);
  const inSpec = typeof raw === "string" ? setting.choices[raw] : undefined;
  if (typeof raw === "string" && words.includes(raw) && inSpec !== undefined) return inSpec;
  throw mustBe(setting, label, allowedWords(setting), raw, suggestionFor(raw, words));
}

function parseNumber(setting: NumberSetting, raw: unknown, label: string): number {
  if (typeof raw === "number") return checkNumber(setting, raw, label);
  if (typeof raw === "string" && NUMBER.test(raw.trim())) {
    return checkNumber(setting, Number(raw), label, raw.trim());
  }
  throw mustBe(setting, label, describeRange(setting.range), raw);
}

function checkNumber(
  setting: NumberSetting,
  value: FieldValue,
  label: string,
  written: unknown = value,
): number {
  if (typeof value !== "number" || !inRange(value, setting.range)) {
    throw mustBe(setting, label, describeRange(setting.range), written);
  }
  return value;
}

function parseSubset(setting: SubsetSetting, raw: unknown, label: string): Assignments {
  const words = subsetWords(raw);
  const chosen = words?.length === 1 ? expandedWord(setting, words[0] as string) : words;
  const unknown = chosen?.find((word) => !setting.members.includes(word));
  if (chosen === undefined || unknown !== undefined) {
    const candidates = [...setting.members, "all", "none"];
    throw mustBe(setting, label, allowedWords(setting), raw, suggestionFor(unknown, candidates));
  }
  const paths = fieldsOf(setting);
  return new Map(setting.members.map((name, at) => [paths[at] as string, chosen.includes(name)]));
}

function subsetWords(raw: unknown): string[] | undefined {
  if (typeof raw === "string") return raw.split(",").map((word) => word.trim());
  return Array.isArray(raw) && raw.every((word) => typeof word === "string") ? raw : undefined;
}

function expandedWord(setting: SubsetSetting, word: string): readonly string[] {
  if (word === "all") return setting.members;
  return word === "none" ? [] : [word];
}

function suggestionFor(raw: unknown, words: readonly string[]): string {
  const meant = typeof raw === "string" ? suggest(raw, words) : undefined;
  return meant === undefined ? "" : `; did you mean ${meant}?`;
}

function mustBe(setting: Setting, label: string, allowed: string, got: unknown, hint = "") {
  return invalid(
    setting.path,
    `${label} (${setting.path}) must be ${allowed}, got ${shown(got)}${hint}`,
  );
}
