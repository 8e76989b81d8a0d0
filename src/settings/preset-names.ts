import { Preset } from "../generated/stillhouse/v1/spec.js";

/** The presets by the words for `--preset`. */
export const PRESETS = {
  study: Preset.STUDY,
  cpu: Preset.CPU,
  "wang-mnist": Preset.WANG_MNIST,
  "wang-mnist-cpu": Preset.WANG_MNIST_CPU,
} as const;

export type PresetName = keyof typeof PRESETS;
export type KnownPreset = (typeof PRESETS)[PresetName];

/** Those whose values are for images, with the set that they are for. */
const OF_IMAGES: ReadonlyMap<Preset, string> = new Map([
  [Preset.WANG_MNIST, "mnist"],
  [Preset.WANG_MNIST_CPU, "mnist"],
]);

export function isKnownPreset(preset: Preset): preset is KnownPreset {
  return (Object.values(PRESETS) as Preset[]).includes(preset);
}

/** The word for a preset of a resolved spec. */
export function presetName(preset: Preset): PresetName {
  const entries = Object.entries(PRESETS) as [PresetName, Preset][];
  return entries.find(([, known]) => known === preset)?.[0] ?? "cpu";
}

/** The data set that a preset is for where a draft names none. */
export function datasetOfPreset(preset: Preset): string | undefined {
  return OF_IMAGES.get(preset);
}
