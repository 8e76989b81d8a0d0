import { Preset } from "../../generated/stillhouse/v1/spec.js";
import { type FieldValue, readField } from "../../settings/field-path.js";
import { presetSpec } from "../../settings/presets.js";
import { fieldsOf, type Setting } from "../../settings/setting.js";
import { givenValue } from "../../settings/validate.js";
import { writtenValue } from "../../settings/values.js";

const STUDY = presetSpec(Preset.STUDY);
const CPU = presetSpec(Preset.CPU);

/** The flag with what it takes: `--sl <none|restricted|unrestricted>`. */
export function flagUsage(setting: Setting): string {
  const argument = argumentOf(setting);
  return argument === "" ? `--${setting.flag}` : `--${setting.flag} <${argument}>`;
}

/** What the setting does, and its default in both presets. */
export function settingHelp(setting: Setting): string {
  const study = presetText(setting, STUDY);
  const cpu = presetText(setting, CPU);
  if (study === cpu) return study === undefined ? setting.help : `${setting.help} [${study}]`;
  const values = [study && `study ${study}`, cpu && `cpu ${cpu}`].filter(Boolean);
  return `${setting.help} [${values.join(", ")}]`;
}

function argumentOf(setting: Setting): string {
  switch (setting.kind) {
    case "choice":
      return argumentOfChoice(setting.flag, Object.keys(setting.choices).join("|"));
    case "number":
      return setting.range.integer ? "n" : "x";
    case "text":
      return setting.placeholder;
    case "subset":
      return "which";
    case "switch":
      return "";
  }
}

/** A longer flag leaves the texts beside it too few columns; the text then names the choices. */
const LONGEST_USAGE = 36;

function argumentOfChoice(flag: string, choices: string): string {
  return `--${flag} <${choices}>`.length <= LONGEST_USAGE ? choices : "which";
}

function presetText(setting: Setting, preset: typeof STUDY): string | undefined {
  if (setting.flag === "preset") return undefined;
  const values = fieldsOf(setting).map((path) => givenValue(preset, setting, path));
  if (setting.kind === "subset") {
    return setting.members.filter((_, at) => values[at]).join(", ") || "none";
  }
  return defaultText(setting, readField(preset, setting.path), values[0]);
}

/** Nothing to show: no value, the empty name, epochs that are left to the number of steps. */
function defaultText(setting: Setting, inSpec: FieldValue | undefined, given?: FieldValue) {
  if (given === undefined || inSpec === "") return undefined;
  if (setting.path === "outer.epochs" && inSpec === 0) return undefined;
  return setting.kind === "switch" ? (given ? "on" : "off") : writtenValue(setting, given);
}
