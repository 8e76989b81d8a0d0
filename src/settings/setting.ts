import type { Range } from "./range.js";

/** A heading of the help. */
export type Group =
  | "Data and model"
  | "Objective"
  | "Distilled data"
  | "Inner steps (how a learner is trained on the distilled data)"
  | "Outer steps (how the distilled data is trained)"
  | "Evaluation and baselines"
  | "Run";

interface Described {
  /** Name of the flag and of the key in a config file. */
  readonly flag: string;
  /** Field of the ExperimentSpec, in the proto's names. */
  readonly path: string;
  readonly help: string;
}

export interface ChoiceSetting extends Described {
  readonly kind: "choice";
  /** By the word that a person writes: the value in the spec. */
  readonly choices: Readonly<Record<string, string>>;
}

export interface NumberSetting extends Described {
  readonly kind: "number";
  readonly range: Range;
}

export interface SwitchSetting extends Described {
  readonly kind: "switch";
}

export interface TextSetting extends Described {
  readonly kind: "text";
  readonly pattern: RegExp;
  /** What the pattern allows, as the end of the sentence "must be …". */
  readonly allowed: string;
  readonly placeholder: string;
  /** Whether it may be given several times; its value is then all of them, with commas between. */
  readonly repeats?: boolean;
}

/** Any of some names; each is a boolean field below the path. */
export interface SubsetSetting extends Described {
  readonly kind: "subset";
  readonly members: readonly string[];
}

export type Setting = ChoiceSetting | NumberSetting | SwitchSetting | TextSetting | SubsetSetting;

/** Path of the field of one of its names. */
export function memberPath({ path }: SubsetSetting, member: string): string {
  return `${path}.${member.replaceAll("-", "_")}`;
}

/** Paths of the fields that a setting fills in. */
export function fieldsOf(setting: Setting): readonly string[] {
  if (setting.kind !== "subset") return [setting.path];
  return setting.members.map((member) => memberPath(setting, member));
}

/** The accepted values of a choice, switch or subset, as the end of the sentence "must be …". */
export function allowedWords(setting: ChoiceSetting | SwitchSetting | SubsetSetting): string {
  if (setting.kind === "switch") return "true or false";
  if (setting.kind === "choice") return `one of ${Object.keys(setting.choices).join(", ")}`;
  return `all, none, or some of ${setting.members.join(",")}`;
}
