import { describeRange, inRange } from "../../settings/range.js";
import { type PresetName, type SettingView, subsetText, writtenValue } from "./settings-view.js";

/** What a person has entered, by flag; the preset decides the rest. */
export type DraftValues = ReadonlyMap<string, string>;

/** Decimal notation only, as on the command line. */
const NUMBER = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i;

/** Why a setting does not accept the entered text, as a sentence; undefined when it does. */
export function problemOf(setting: SettingView, text: string): string | undefined {
  const value = text.trim();
  if (value === "") return undefined;
  switch (setting.kind) {
    case "number": {
      const range = setting.range ?? { min: Number.NEGATIVE_INFINITY };
      const fits = NUMBER.test(value) && inRange(Number(value), range);
      return fits ? undefined : `must be ${describeRange(range)}`;
    }
    case "choice":
      return Object.keys(setting.choices ?? {}).includes(value)
        ? undefined
        : `must be ${setting.allowed}`;
    case "switch":
      return value === "true" || value === "false" ? undefined : `must be ${setting.allowed}`;
    case "subset":
      return membersOf(setting, value) === undefined ? `must be ${setting.allowed}` : undefined;
    case "text": {
      const fits = setting.pattern === undefined || new RegExp(setting.pattern, "u").test(value);
      return fits ? undefined : `must be ${setting.allowed}`;
    }
  }
}

/** Sentences by flag, for all values that are not accepted. */
export function problemsOf(
  values: DraftValues,
  settings: readonly SettingView[],
): ReadonlyMap<string, string> {
  const found = settings.flatMap((setting): [string, string][] => {
    const problem = problemOf(setting, values.get(setting.flag) ?? "");
    return problem === undefined ? [] : [[setting.flag, problem]];
  });
  if (values.get("epochs") && values.get("outer-steps")) {
    found.push(["outer-steps", "excludes epochs: give one of them"]);
  }
  return new Map(found);
}

/**
 * The draft of a spec in JSON, with the proto's names; only what was written is set.
 *
 * @param values that have no problem
 */
export function draftOf(values: DraftValues, settings: readonly SettingView[]): object {
  const draft: Record<string, unknown> = {};
  for (const setting of settings) {
    const text = values.get(setting.flag)?.trim() ?? "";
    if (text === "") continue;
    if (setting.kind === "subset") {
      const chosen = membersOf(setting, text) ?? [];
      setting.fields.forEach((path, at) => {
        write(draft, path, chosen.includes(setting.members?.[at] ?? ""));
      });
    } else {
      write(draft, setting.name, inSpec(setting, text));
    }
  }
  return draft;
}

function inSpec(setting: SettingView, text: string): unknown {
  if (setting.kind === "number") return Number(text);
  if (setting.kind === "switch") return text === "true";
  return setting.kind === "choice" ? setting.choices?.[text] : text;
}

function write(draft: Record<string, unknown>, path: string, value: unknown): void {
  const names = path.split(".");
  const last = names.pop() ?? "";
  let group = draft;
  for (const name of names) {
    group[name] ??= {};
    group = group[name] as Record<string, unknown>;
  }
  group[last] = value;
}

/** The members that "all", "none" or a list names; undefined where it names another. */
export function membersOf(
  { members = [] }: SettingView,
  text: string,
): readonly string[] | undefined {
  if (text === "all") return members;
  if (text === "none") return [];
  const words = text.split(",").map((word) => word.trim());
  return words.every((word) => members.includes(word)) ? words : undefined;
}

/** The default of a setting: that of the chosen preset, or of both presets where none is chosen. */
export function defaultText(setting: SettingView, preset: PresetName | undefined): string {
  const of = (name: PresetName) => {
    const read = (path: string) => setting.default[name][path];
    const values = setting.fields.map(read);
    if (values.every((value) => value === undefined || value === "")) return "";
    if (setting.kind === "subset") return subsetText(setting, read);
    const [value] = values;
    if (setting.flag === "epochs" && value === 0) return "";
    return value === undefined ? "" : writtenValue(setting, value);
  };
  // The device decides the preset where nobody chooses one.
  if (setting.flag === "preset") return "";
  if (preset !== undefined) return of(preset);
  const [study, cpu] = [of("study"), of("cpu")];
  if (study === cpu) return study;
  return [study && `study ${study}`, cpu && `cpu ${cpu}`].filter(Boolean).join(", ");
}

/** The path of a setting's field, as a failure of the server names it → the setting's flag. */
export function flagOfField(field: string, settings: readonly SettingView[]): string | undefined {
  return settings.find(({ name, fields }) => name === field || fields.includes(field))?.flag;
}
