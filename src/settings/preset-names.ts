import { Preset } from "../generated/stillhouse/v1/spec.js";

/** The presets by the words for `--preset`. */
export const PRESETS = {
  study: Preset.STUDY,
  cpu: Preset.CPU,
  "wang-mnist": Preset.WANG_MNIST,
  "wang-mnist-cpu": Preset.WANG_MNIST_CPU,
  "wang-cifar10": Preset.WANG_CIFAR10,
  "wang-cifar10-cpu": Preset.WANG_CIFAR10_CPU,
  "soft-mnist": Preset.SOFT_MNIST,
  "soft-mnist-cpu": Preset.SOFT_MNIST_CPU,
} as const;

export type PresetName = keyof typeof PRESETS;
export type KnownPreset = (typeof PRESETS)[PresetName];

/** What a preset is for where a draft names none. */
interface PresetSubject {
  readonly dataset: string;
  readonly model: string;
}

const DIGITS: PresetSubject = { dataset: "mnist", model: "lenet" };
const COLOUR_IMAGES: PresetSubject = { dataset: "cifar10", model: "alexcifarnet" };

/** Those whose values are for images. */
const OF_IMAGES: ReadonlyMap<Preset, PresetSubject> = new Map([
  [Preset.WANG_MNIST, DIGITS],
  [Preset.WANG_MNIST_CPU, DIGITS],
  [Preset.WANG_CIFAR10, COLOUR_IMAGES],
  [Preset.WANG_CIFAR10_CPU, COLOUR_IMAGES],
  [Preset.SOFT_MNIST, DIGITS],
  [Preset.SOFT_MNIST_CPU, DIGITS],
]);

export function isKnownPreset(preset: Preset): preset is KnownPreset {
  return (Object.values(PRESETS) as Preset[]).includes(preset);
}

/** The word for a preset of a resolved spec. */
export function presetName(preset: Preset): PresetName {
  const entries = Object.entries(PRESETS) as [PresetName, Preset][];
  return entries.find(([, known]) => known === preset)?.[0] ?? "cpu";
}

/** Data set and model of a preset for images, for drafts that name none; of others undefined. */
export function subjectOfPreset(preset: Preset): PresetSubject | undefined {
  return OF_IMAGES.get(preset);
}
