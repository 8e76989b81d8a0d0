import { isDeepStrictEqual } from "node:util";
import { z } from "zod";
import type { ExperimentSpec } from "../../generated/stillhouse/v1/spec.js";
import type { FieldValue } from "../../settings/field-path.js";
import { writeImageValues } from "../../settings/images.js";
import { PRESETS, type PresetName } from "../../settings/preset-names.js";
import { presetSpec } from "../../settings/presets.js";
import { describeRange } from "../../settings/range.js";
import { allowedWords, fieldsOf, type Setting } from "../../settings/setting.js";
import { SETTINGS_BY_GROUP } from "../../settings/settings.js";
import { givenValue } from "../../settings/validate.js";
import { writeWordValues } from "../../settings/words.js";

const value = z.union([z.string(), z.number(), z.boolean()]);

const inPresets = z.record(
  z.enum(Object.keys(PRESETS) as [PresetName, ...PresetName[]]),
  z.record(z.string(), value),
);

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
  default: inPresets.describe(
    "Values by path of the field in each preset; absent where facts decide.",
  ),
  networkDefault: z
    .strictObject({ images: inPresets.optional(), words: inPresets.optional() })
    .optional()
    .describe("The same for networks of images and of words, where theirs are others."),
});

export const settingsSchema = z.strictObject({ settings: z.array(settingSchema) });

/** What a preset's values become for each kind of network. */
const NETWORKS = { images: writeImageValues, words: writeWordValues };

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
      ...defaultsOf(setting),
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

type Defaults = z.infer<typeof inPresets>;

function defaultsOf(setting: Setting) {
  const usual = defaultsWith(setting, (name) => presetSpec(PRESETS[name]));
  const others = Object.entries(NETWORKS)
    .map(([kind, write]) => {
      const ofNetwork = (name: PresetName) => {
        const spec = presetSpec(PRESETS[name], undefined, true);
        write(spec);
        return spec;
      };
      return [kind, defaultsWith(setting, ofNetwork)] as const;
    })
    .filter(([, defaults]) => !isDeepStrictEqual(defaults, usual));
  return {
    default: usual,
    ...(others.length > 0 && { networkDefault: Object.fromEntries(others) }),
  };
}

function defaultsWith(setting: Setting, presetOf: (name: PresetName) => ExperimentSpec): Defaults {
  return Object.fromEntries(
    NAMES.map((name) => [name, defaultsIn(presetOf(name), setting)]),
  ) as Defaults;
}

function defaultsIn(preset: ExperimentSpec, setting: Setting): Record<string, FieldValue> {
  const entries = fieldsOf(setting).map((path) => [path, givenValue(preset, setting, path)]);
  return Object.fromEntries(entries.filter(([, given]) => given !== undefined));
}
