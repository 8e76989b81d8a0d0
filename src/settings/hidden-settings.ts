import {
  HiddenInit,
  HiddenLabels,
  HiddenLoss,
  HiddenSchedule,
  InternalLabels,
} from "../generated/stillhouse/v1/spec.js";
import type { Setting } from "./setting.js";
import { WEIGHT } from "./setting-ranges.js";
import { choice, number, toggle } from "./setting-rows.js";

/** What every preset says of them. */
export const NO_HIDDEN_LABELS = {
  hiddenLabels: HiddenLabels.NONE,
  hiddenLoss: HiddenLoss.COSINE,
  hiddenWeight: 1,
  learnHiddenWeight: false,
  hiddenInit: HiddenInit.SAMPLES,
  hiddenSchedule: HiddenSchedule.ALL,
} as const;

/** Where labels of a learner's inside, attention labels among them, are from. */
export const INTERNAL_LABELS_SETTING: Setting = choice(
  "internal-labels",
  "distilled.internal_labels",
  { learned: InternalLabels.LEARNED, teacher: InternalLabels.TEACHER },
  [
    "Attention labels and hidden labels are learned, or are those of a learner trained on all of",
    "train on the distilled samples at their start, and stay so",
  ],
);

/** The settings of labels of hidden states. */
export const HIDDEN_SETTINGS: readonly Setting[] = [
  choice(
    "hidden-labels",
    "distilled.hidden_labels",
    { none: HiddenLabels.NONE, cls: HiddenLabels.CLS },
    "Labels of hidden states: none, or the first token's vector behind each layer",
  ),
  choice(
    "hidden-loss",
    "distilled.hidden_loss",
    { cosine: HiddenLoss.COSINE, mse: HiddenLoss.MSE },
    "Hidden loss: 1 - cosine, or half the mean squared error of the normalised state",
  ),
  number("hidden-weight", "distilled.hidden_weight", WEIGHT, [
    "μ: weight of the hidden loss, a mean over samples and layers",
  ]),
  toggle("learn-hidden-weight", "distilled.learn_hidden_weight", [
    "Learn a weight of the hidden loss for each layer, from --hidden-weight on",
  ]),
  choice(
    "hidden-init",
    "distilled.hidden_init",
    { noise: HiddenInit.NOISE, samples: HiddenInit.SAMPLES },
    "Hidden labels start as N(0,1), or as the states of the distilled samples at their start",
  ),
  choice(
    "hidden-schedule",
    "distilled.hidden_schedule",
    {
      all: HiddenSchedule.ALL,
      progressive: HiddenSchedule.PROGRESSIVE,
      stacked: HiddenSchedule.STACKED,
    },
    [
      "Layers with a hidden loss in inner step t: all; layer n = ⌈t·L/T⌉ alone (progressive); layers",
      "1 to n (stacked)",
    ],
  ),
];
