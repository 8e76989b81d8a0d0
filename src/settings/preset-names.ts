import { Preset } from "../generated/stillhouse/v1/spec.js";

/** The presets by the words for `--preset`. */
export const PRESETS = {
  study: Preset.STUDY,
  cpu: Preset.CPU,
  "cpu-long": Preset.CPU_LONG,
  "wang-mnist": Preset.WANG_MNIST,
  "wang-mnist-cpu": Preset.WANG_MNIST_CPU,
  "wang-cifar10": Preset.WANG_CIFAR10,
  "wang-cifar10-cpu": Preset.WANG_CIFAR10_CPU,
  "soft-mnist": Preset.SOFT_MNIST,
  "soft-mnist-cpu": Preset.SOFT_MNIST_CPU,
  "text-imdb": Preset.TEXT_IMDB,
  "text-imdb-cpu": Preset.TEXT_IMDB_CPU,
  "text-sst5": Preset.TEXT_SST5,
  "text-sst5-cpu": Preset.TEXT_SST5_CPU,
  "text-trec6": Preset.TEXT_TREC6,
  "text-trec6-cpu": Preset.TEXT_TREC6_CPU,
  "text-agnews": Preset.TEXT_AGNEWS,
  "text-agnews-cpu": Preset.TEXT_AGNEWS_CPU,
  "li-agnews": Preset.LI_AGNEWS,
  "li-agnews-cpu": Preset.LI_AGNEWS_CPU,
  "wang-adapt": Preset.WANG_ADAPT,
  "wang-adapt-cpu": Preset.WANG_ADAPT_CPU,
  "wang-attack": Preset.WANG_ATTACK,
  "wang-attack-cpu": Preset.WANG_ATTACK_CPU,
  acl2023: Preset.ACL2023,
  "acl2023-cpu": Preset.ACL2023_CPU,
} as const;

export type PresetName = keyof typeof PRESETS;
export type KnownPreset = (typeof PRESETS)[PresetName];

/** What a preset is for where a draft names none. */
interface PresetSubject {
  readonly holds: "images" | "texts";
  readonly dataset: string;
  readonly model: string;
}

const DIGITS: PresetSubject = { holds: "images", dataset: "mnist", model: "lenet" };
const POSTAL_DIGITS: PresetSubject = { holds: "images", dataset: "usps", model: "lenet" };
const COLOUR_IMAGES: PresetSubject = {
  holds: "images",
  dataset: "cifar10",
  model: "alexcifarnet",
};
const REVIEWS = ofTexts("imdb", "textcnn");
const SENTIMENTS = ofTexts("sst5", "textrnn");
const QUESTIONS = ofTexts("trec6", "textlstm");
const NEWS = ofTexts("ag_news", "textcnn");
const NEWS_OF_LI = ofTexts("ag_news", "textcnn-li");

/** Those whose values are for one kind of data and model. */
const SUBJECTS: ReadonlyMap<Preset, PresetSubject> = new Map([
  [Preset.WANG_MNIST, DIGITS],
  [Preset.WANG_MNIST_CPU, DIGITS],
  [Preset.WANG_CIFAR10, COLOUR_IMAGES],
  [Preset.WANG_CIFAR10_CPU, COLOUR_IMAGES],
  [Preset.SOFT_MNIST, DIGITS],
  [Preset.SOFT_MNIST_CPU, DIGITS],
  [Preset.TEXT_IMDB, REVIEWS],
  [Preset.TEXT_IMDB_CPU, REVIEWS],
  [Preset.TEXT_SST5, SENTIMENTS],
  [Preset.TEXT_SST5_CPU, SENTIMENTS],
  [Preset.TEXT_TREC6, QUESTIONS],
  [Preset.TEXT_TREC6_CPU, QUESTIONS],
  [Preset.TEXT_AGNEWS, NEWS],
  [Preset.TEXT_AGNEWS_CPU, NEWS],
  [Preset.LI_AGNEWS, NEWS_OF_LI],
  [Preset.LI_AGNEWS_CPU, NEWS_OF_LI],
  [Preset.WANG_ADAPT, POSTAL_DIGITS],
  [Preset.WANG_ADAPT_CPU, POSTAL_DIGITS],
  [Preset.WANG_ATTACK, DIGITS],
  [Preset.WANG_ATTACK_CPU, DIGITS],
  [Preset.ACL2023, ofTexts("ag_news", "bert-base-uncased")],
  // An outer step of BERT-base takes ten times as long.
  [Preset.ACL2023_CPU, ofTexts("ag_news", "minilm")],
]);

function ofTexts(dataset: string, model: string): PresetSubject {
  return { holds: "texts", dataset, model };
}

export function isKnownPreset(preset: Preset): preset is KnownPreset {
  return (Object.values(PRESETS) as Preset[]).includes(preset);
}

/** Whether it is the study's method cut to two CPU cores. */
export function isCutToCpu(preset: Preset): boolean {
  return preset === Preset.CPU || preset === Preset.CPU_LONG;
}

/** Whether it is Maekawa et al. (2023). */
export function isOfAcl2023(preset: Preset): boolean {
  return preset === Preset.ACL2023 || preset === Preset.ACL2023_CPU;
}

/** The word for a preset of a resolved spec. */
export function presetName(preset: Preset): PresetName {
  const entries = Object.entries(PRESETS) as [PresetName, Preset][];
  return entries.find(([, known]) => known === preset)?.[0] ?? "cpu";
}

/** Data set and model of a preset that is for these, for drafts that name none. */
export function subjectOfPreset(preset: Preset): PresetSubject | undefined {
  return SUBJECTS.get(preset);
}
