import { z } from "zod";
import type { ExperimentSpec } from "../../generated/stillhouse/v1/spec.js";
import type { FieldValue } from "../../settings/field-path.js";
import { PRESETS, type PresetName } from "../../settings/preset-names.js";
import { presetSpec } from "../../settings/presets.js";
import { describeRange } from "../../settings/range.js";
import { allowedWords, fieldsOf, type Setting } from "../../settings/setting.js";
import { SETTINGS_BY_GROUP } from "../../settings/settings.js";
import { givenValue } from "../../settings/validate.js";

const value = z.union([z.string(), z.number(), z.boolean()]);

const settingSchema = z.strictObject({
  name: z.string().describe("Path of the field of the spec; of a subset, what they begin with."),
  flag: z.string().describe("Name of the flag without dashes, and of the key in a config file."),
  kind: z.enum(["choice", "number", "switch", "text", "subset"]),
  group: z.string(),
  help: z.string(),
  allowed: z.string().describe("The accepted values, as the end of the sentence: must be …"),
  fields: z.array(z.string()).describe("Paths of the fields that it fills in."),
  choices: z.record(z.string(), z.string()).optional().describe("Word → value in the spec."),
  members: z.array(z.string()).optional(),
  range: z
    .strictObject({
      integer: z.boolean().optional(),
      min: z.number(),
      aboveMin: z.boolean().optional(),
      max: z.number().optional(),
      belowMax: z.boolean().optional(),
    })
    .optional(),
  pattern: z.string().optional().describe("Regular expression with the flag u."),
  placeholder: z.string().optional(),
  default: z
    .record(
      z.enum(Object.keys(PRESETS) as [PresetName, ...PresetName[]]),
      z.record(z.string(), value),
    )
    .describe("Values by path of the field in each preset; absent where facts decide."),
});

export const settingsSchema = z.strictObject({ settings: z.array(settingSchema) });

const NAMES = Object.keys(PRESETS) as PresetName[];

/** The table of settings as a form needs it. */
export function settingsDocument(): z.infer<typeof settingsSchema> {
  const settings = Object.entries(SETTINGS_BY_GROUP).flatMap(([group, members]) =>
    members.map((setting) => ({
      name: setting.path,
      flag: setting.flag,
      kind: setting.kind,
      group,
      help: setting.help,
      fields: [...fieldsOf(setting)],
      default: defaultsOf(setting),
      ...takenBy(setting),
    })),
  );
  return { settings };
}

function takenBy(setting: Setting) {
  switch (setting.kind) {
    case "choice":
      return { allowed: allowedWords(setting), choices: setting.choices };
    case "number":
      return { allowed: describeRange(setting.range), range: setting.range };
    case "switch":
      return { allowed: allowedWords(setting) };
    case "text": {
      const { allowed, pattern, placeholder } = setting;
      return { allowed, pattern: pattern.source, placeholder };
    }
    case "subset":
      return { allowed: allowedWords(setting), members: [...setting.members] };
  }
}

function defaultsOf(setting: Setting) {
  const defaults = NAMES.map((name) => [name, defaultsIn(presetSpec(PRESETS[name]), setting)]);
  return Object.fromEntries(defaults) as Record<PresetName, ReturnType<typeof defaultsIn>>;
}

function defaultsIn(preset: ExperimentSpec, setting: Setting): Record<string, FieldValue> {
  const entries = fieldsOf(setting).map((path) => [path, givenValue(preset, setting, path)]);
  return Object.fromEntries(entries.filter(([, given]) => given !== undefined));
}
