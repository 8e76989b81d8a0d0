import { Preset } from "../../generated/page/stillhouse/v1/spec.js";
import type { Range } from "../../settings/range.js";
import { type FieldValue, readField, type Spec } from "./spec-fields.js";

export type PresetName = "study" | "cpu";

type SettingKind = "choice" | "number" | "switch" | "text" | "subset";

/** A setting as the server describes it. */
export interface SettingView {
  /** Path of its field in the spec; of a subset, what the paths of its members begin with. */
  readonly name: string;
  readonly flag: string;
  readonly kind: SettingKind;
  readonly group: string;
  readonly help: string;
  /** What it takes, as it ends the sentence "must be …". */
  readonly allowed: string;
  readonly fields: readonly string[];
  /** What a person writes, and what then stands in the spec. */
  readonly choices?: Readonly<Record<string, string>>;
  readonly members?: readonly string[];
  readonly range?: Range;
  /** With the flag u. */
  readonly pattern?: string;
  readonly placeholder?: string;
  /** By preset and field; absent where the machine or the data decide. */
  readonly default: Readonly<Record<PresetName, Readonly<Record<string, FieldValue>>>>;
}

export interface SettingsDocument {
  readonly settings: readonly SettingView[];
}

/** What a person writes for what stands in the spec. */
export function writtenValue(setting: SettingView, value: FieldValue): string {
  const words = Object.entries(setting.choices ?? {});
  return words.find(([, inSpec]) => inSpec === value)?.[0] ?? String(value);
}

export function presetOf(spec: Spec): PresetName {
  return spec.preset === Preset.STUDY ? "study" : "cpu";
}

/** Settings that say what an experiment is about: they belong to no preset. */
const IDENTIFYING = new Set(["name", "preset", "dataset", "data-dir", "model", "device"]);

export interface SpecRow {
  readonly setting: SettingView;
  /** As a person writes it; empty where nothing is set. */
  readonly value: string;
  readonly preset: string;
  readonly isChanged: boolean;
}

/** Every setting of a resolved spec, beside what its preset has. */
export function specRows(spec: Spec, settings: readonly SettingView[]): SpecRow[] {
  const preset = presetOf(spec);
  return settings.map((setting) => {
    const value = textOf(setting, (path) => readField(spec, path));
    const standard = textOf(setting, (path) => setting.default[preset][path]);
    const isDerived = isDerivedFrom(setting, spec);
    const isOwn = IDENTIFYING.has(setting.flag) || isDerived || standard === "";
    // A setting that came later than the experiment has no value in it.
    const isChanged = !isOwn && value !== "" && value !== standard;
    return { setting, value, preset: standard, isChanged };
  });
}

/** Of epochs and steps only the one that was chosen counts: the other follows from it. */
function isDerivedFrom({ flag }: SettingView, spec: Spec): boolean {
  return flag === (spec.outer?.epochs ? "outer-steps" : "epochs");
}

function textOf(setting: SettingView, read: (path: string) => FieldValue | undefined): string {
  if (setting.kind === "subset") {
    const chosen = setting.fields.filter((path) => read(path) === true);
    if (setting.fields.every((path) => read(path) === undefined)) return "";
    if (chosen.length === setting.fields.length) return "all";
    return chosen.map((path) => path.split(".").at(-1)).join(",") || "none";
  }
  const value = read(setting.name);
  return value === undefined || value === "" ? "" : writtenValue(setting, value);
}

/**
 * What a person gives to get this spec: what is not the preset's, and what no preset decides.
 *
 * @returns values by flag, in the order of the table
 */
export function givenValues(spec: Spec, settings: readonly SettingView[]): Map<string, string> {
  const rows = specRows(spec, settings);
  const given = rows.filter(
    ({ setting, value, preset, isChanged }) =>
      value !== "" &&
      !isDerivedFrom(setting, spec) &&
      (isChanged || IDENTIFYING.has(setting.flag) || preset === ""),
  );
  return new Map(given.map(({ setting, value }) => [setting.flag, value]));
}

/** The command that these values amount to. */
export function commandLine(values: ReadonlyMap<string, string>): string {
  const flags = flagsOf(values);
  return ["npm run experiment", ...(flags.length === 0 ? [] : ["--", ...flags])].join(" ");
}

/** The settings that `npm run robustness` takes; all others are those of the artifact. */
const OF_ROBUSTNESS = ["data-dir", "inits", "baselines", "device", "precision", "name"];

/** The command that gives the same experiment again. */
export function repeatingCommand(spec: Spec, settings: readonly SettingView[]): string {
  const { robustness } = spec;
  if (robustness === undefined) return commandLine(givenValues(spec, settings));
  const { artifactId, checks, steps, transferTo } = robustness;
  const own = specRows(spec, settings).filter(
    ({ setting, value }) => OF_ROBUSTNESS.includes(setting.flag) && value !== "",
  );
  const names = checks.map((check) => wordOf(check, "ROBUSTNESS_CHECK_"));
  const values = new Map([
    ["checks", names.join(",") || "none"],
    ...(steps.length === 0 ? [] : [["steps", steps.join(",")] as const]),
    ...own.map(({ setting, value }) => [setting.flag, value] as const),
  ]);
  const models = transferTo.map(({ name = "" }) => shellWord(name));
  const transfers = models.length === 0 ? [] : ["--transfer-to", ...models];
  return ["npm run robustness --", artifactId, ...flagsOf(values), ...transfers].join(" ");
}

/** "head-init" of ROBUSTNESS_CHECK_HEAD_INIT. */
function wordOf(name: string, prefix: string): string {
  return name.replace(prefix, "").toLowerCase().replaceAll("_", "-");
}

function flagsOf(values: ReadonlyMap<string, string>): string[] {
  return [...values].flatMap(([flag, value]) => {
    if (value === "true") return [`--${flag}`];
    return value === "false" ? [`--no-${flag}`] : [`--${flag}`, shellWord(value)];
  });
}

function shellWord(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}
