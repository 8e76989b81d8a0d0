import { Init, Preset, type ReplaySpec } from "../../generated/page/stillhouse/v1/spec.js";
import type { Range } from "../../settings/range.js";
import { type FieldValue, readField, type Spec } from "./spec-fields.js";

type Dashed<Word extends string> = Word extends `${infer First}_${infer Rest}`
  ? `${First}-${Dashed<Rest>}`
  : Word;
type NameOf<Value> = Value extends `PRESET_${infer Word}` ? Dashed<Lowercase<Word>> : never;

/** What `--preset` takes: "wang-mnist" of PRESET_WANG_MNIST. */
export type PresetName = NameOf<Exclude<`${Preset}`, "PRESET_UNSPECIFIED">>;

type SettingKind = "choice" | "number" | "switch" | "text" | "subset";

/** A setting as the server describes it. */
export interface SettingView {
  /** Path of its field in the spec; for a subset, the common prefix of its members' paths. */
  readonly name: string;
  readonly flag: string;
  readonly kind: SettingKind;
  readonly group: string;
  readonly help: string;
  /** The accepted values, as the end of the sentence "must be …". */
  readonly allowed: string;
  readonly fields: readonly string[];
  /** By the word that a person writes: the value in the spec. */
  readonly choices?: Readonly<Record<string, string>>;
  readonly members?: readonly string[];
  readonly range?: Range;
  /** With the flag u. */
  readonly pattern?: string;
  readonly placeholder?: string;
  /** By preset and field; absent where the machine or the data decide. */
  readonly default: PresetValues;
  /** Of networks of images and of words; absent where it is the same. */
  readonly networkDefault?: { readonly images?: PresetValues; readonly words?: PresetValues };
}

type PresetValues = Readonly<Record<PresetName, Readonly<Record<string, FieldValue>>>>;

export interface SettingsDocument {
  readonly settings: readonly SettingView[];
}

/** A value of the spec as a person writes it. */
export function writtenValue(setting: SettingView, value: FieldValue): string {
  const words = Object.entries(setting.choices ?? {});
  return words.find(([, inSpec]) => inSpec === value)?.[0] ?? String(value);
}

export function presetOf({ preset }: Spec): PresetName {
  const isNamed = preset !== Preset.UNSPECIFIED && preset !== Preset.UNRECOGNIZED;
  return isNamed ? (wordOf(preset, "PRESET_") as PresetName) : "cpu";
}

/** Settings that identify what an experiment is about: no preset has them. */
const IDENTIFYING = new Set([
  "name",
  "preset",
  "dataset",
  "data-dir",
  "model",
  "embeddings",
  "device",
]);

export interface SpecRow {
  readonly setting: SettingView;
  /** As a person writes it; empty where nothing is set. */
  readonly value: string;
  readonly preset: string;
  readonly isChanged: boolean;
}

/** Every setting of a resolved spec, with the value of its preset. */
export function specRows(spec: Spec, settings: readonly SettingView[]): SpecRow[] {
  const preset = presetOf(spec);
  const network = networkOf(spec);
  return settings.map((setting) => {
    const value = textOf(setting, (path) => readField(spec, path));
    const standard = textOf(setting, (path) => valuesFor(setting, network)[preset][path]);
    const isDerived = isDerivedFrom(setting, spec);
    const isOwn = IDENTIFYING.has(setting.flag) || isDerived || standard === "";
    // An experiment has no value for a setting that was added later.
    const isChanged = !isOwn && value !== "" && value !== standard;
    return { setting, value, preset: standard, isChanged };
  });
}

/** The kind of network that it is about; undefined for an encoder. */
function networkOf({ dataset, model }: Spec): "images" | "words" | undefined {
  if (dataset?.found?.image !== undefined) return "images";
  return model?.embeddings ? "words" : undefined;
}

function valuesFor(setting: SettingView, network: ReturnType<typeof networkOf>): PresetValues {
  return (network && setting.networkDefault?.[network]) ?? setting.default;
}

/**
 * Whether a setting follows from another one: of epochs and steps one does, and without pretrained
 * learners nothing is said of them.
 */
function isDerivedFrom({ flag, name }: SettingView, spec: Spec): boolean {
  if (name.startsWith("pool.")) return spec.model?.init !== Init.POOL;
  return flag === (spec.outer?.epochs ? "outer-steps" : "epochs");
}

/** The chosen names of a subset with commas between them; "none" where there are none. */
export function chosenWords(
  { fields, members = [] }: SettingView,
  read: (path: string) => FieldValue | undefined,
): string {
  return members.filter((_, at) => read(fields[at] ?? "") === true).join(",") || "none";
}

/** The same as a person writes it: "all" where all are chosen. */
export function subsetText(
  setting: SettingView,
  read: (path: string) => FieldValue | undefined,
): string {
  const isWhole = setting.fields.every((path) => read(path) === true);
  return isWhole ? "all" : chosenWords(setting, read);
}

function textOf(setting: SettingView, read: (path: string) => FieldValue | undefined): string {
  if (setting.kind === "subset") {
    if (setting.fields.every((path) => read(path) === undefined)) return "";
    return subsetText(setting, read);
  }
  const value = read(setting.name);
  return value === undefined || value === "" ? "" : writtenValue(setting, value);
}

/**
 * The values that a person must give to get this spec: those that differ from the preset, and those
 * that no preset has.
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

/** The command with these values as flags. */
export function commandLine(values: ReadonlyMap<string, string>): string {
  const flags = flagsOf(values);
  return ["npm run experiment", ...(flags.length === 0 ? [] : ["--", ...flags])].join(" ");
}

/** The settings that `npm run robustness` accepts; the artifact determines all others. */
const OF_ROBUSTNESS = ["data-dir", "inits", "baselines", "device", "precision", "name"];

/** The command that gives the same experiment again. */
export function repeatingCommand(spec: Spec, settings: readonly SettingView[]): string {
  const { robustness, replay } = spec;
  if (replay) return replayCommand(replay, givenValues(spec, settings));
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

/** Settings that `npm run replay` has flags of its own for, or no choice of. */
const NOT_OF_REPLAY = ["dataset", "seed", "baselines"];

/** Tasks that a person has divided otherwise than the benchmark are given by their classes. */
function replayCommand(replay: ReplaySpec, given: ReadonlyMap<string, string>): string {
  const { tasks, classesPerTask, classOrder, numPermutations } = replay;
  const benchmark = wordOf(replay.benchmark, "REPLAY_BENCHMARK_");
  const dataset = given.get("dataset") ?? "";
  const values = new Map([
    ["tasks", benchmark === "split" ? `split:${dataset}` : benchmark],
    ["methods", replay.methods.map((method) => wordOf(method, "REPLAY_METHOD_")).join(",")],
    ["seeds", replay.seeds.join(",")],
    ...(tasks.some(({ classes }) => classes.length > 0)
      ? [["classes-per-task", String(classesPerTask)] as const]
      : [["num-tasks", String(numPermutations)] as const]),
    ...(classOrder.length === 0 ? [] : [["class-order", classOrder.join(",")] as const]),
    replay.steps > 0
      ? (["task-steps", String(replay.steps)] as const)
      : (["task-epochs", String(replay.epochs)] as const),
    ["task-batch-size", String(replay.batchSize)],
    ["task-lr", String(replay.lr)],
    ...[...given].filter(([flag]) => !NOT_OF_REPLAY.includes(flag)),
  ]);
  return ["npm run replay --", ...flagsOf(values)].join(" ");
}

/** "head-init" of ROBUSTNESS_CHECK_HEAD_INIT, "cpu" of PRESET_CPU. */
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
