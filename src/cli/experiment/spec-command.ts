import type { ExperimentSpec } from "../../generated/stillhouse/v1/spec.js";
import { changedFields, IDENTIFYING_FIELDS, presetBeside } from "../../settings/changed.js";
import { LR_DECAY_STEPS, OUTER_STEPS } from "../../settings/epochs.js";
import { readField } from "../../settings/field-path.js";
import { fieldText } from "../../settings/field-text.js";
import { fieldsOf, memberPath, type Setting } from "../../settings/setting.js";
import { SETTINGS, settingOf } from "../../settings/settings.js";
import { givenValue } from "../../settings/validate.js";
import { writtenValue } from "../../settings/values.js";
import { npmCommand } from "../terminal/npm-command.js";

/** The command that runs the experiment of a resolved spec again, whatever machine it is on. */
export function experimentCommand(spec: ExperimentSpec): string {
  const named = new Set([
    ...IDENTIFYING_FIELDS,
    "seed",
    ...changedFields(spec, presetBeside(spec)),
  ]);
  const settings = SETTINGS.filter((setting) => fieldsOf(setting).some((path) => named.has(path)));
  return npmCommand(
    "experiment",
    settings.flatMap((setting) => wordsOf(setting, spec)),
  );
}

/**
 * The settings in which a spec differs from its preset, such as "outer-steps 200 (1450), inits 3
 * (20)", the preset's values in brackets; of what depends on the device without them.
 *
 * @param except paths that are not looked at.
 */
export function changesText(spec: ExperimentSpec, except: readonly string[]): string {
  const preset = presetBeside(spec);
  const paths = changedFields(spec, preset).filter((path) => !except.includes(path));
  return paths.map((path) => changeText(path, spec, preset)).join(", ");
}

function changeText(path: string, spec: ExperimentSpec, preset: ExperimentSpec): string {
  return `${settingOf(path).flag} ${fieldText(spec, path)}${usualText(path, preset)}`;
}

/** In brackets what the preset has; instead of steps that follow from epochs those. */
function usualText(path: string, preset: ExperimentSpec): string {
  const epochs = [OUTER_STEPS, LR_DECAY_STEPS].find(({ steps }) => steps === path)?.epochs;
  if (epochs !== undefined && readField(preset, epochs)) {
    return ` (${settingOf(epochs).flag} ${fieldText(preset, epochs)})`;
  }
  const isKnown = givenValue(preset, settingOf(path), path) !== undefined;
  return isKnown ? ` (${fieldText(preset, path)})` : "";
}

function wordsOf(setting: Setting, spec: ExperimentSpec): string[] {
  const { flag } = setting;
  if (setting.kind === "subset") {
    const chosen = setting.members.filter(
      (member) => readField(spec, memberPath(setting, member)) === true,
    );
    return [`--${flag}`, chosen.join(",") || "none"];
  }
  const value = readField(spec, setting.path);
  if (setting.kind === "switch") return [value === true ? `--${flag}` : `--no-${flag}`];
  return value === undefined || value === "" ? [] : [`--${flag}`, writtenValue(setting, value)];
}
