import type { BaselineId } from "../baselines.js";
import { AttentionLabels, Init, Labels } from "../generated/stillhouse/v1/spec.js";
import type { FieldValue } from "../settings/field-path.js";
import type { PresetName } from "../settings/preset-names.js";

/** Accuracy in percent, as a work gives it. */
export interface StudyFigure {
  readonly mean: number;
  /** Over its learners; null for a single one. */
  readonly std: number | null;
}

export type RowSettings = ReadonlyMap<string, FieldValue>;

/** A row of a table: learners on distilled data, or a baseline of that experiment. */
export interface StudyRow {
  readonly kind: "distilled" | BaselineId;
  /** By path; nobody else may give them. */
  readonly settings: RowSettings;
  /** The same where nobody else gives them. */
  readonly usual?: RowSettings;
  /** Instead of `usual` in the preset for CPUs. */
  readonly usualOnCpu?: RowSettings;
  /** Absent where none is known for certain. */
  readonly figure?: StudyFigure;
}

/** Another work than the 2022 study, whose runs have presets of their own. */
export interface Published {
  /** Who, and where the figures stand. */
  readonly source: string;
  /** One that has every published value, and one that CPUs can compute. */
  readonly presets: { readonly full: PresetName; readonly cpu: PresetName };
  /** What differs from the published run even with the first one, as whole sentences. */
  readonly differs: string;
  /** Whether its rows of distilled data are drawn over their number of samples. */
  readonly isOverSamples?: boolean;
}

export interface StudyTable {
  readonly id: string;
  readonly title: string;
  readonly rows: readonly StudyRow[];
  /** Absent for the tables of the 2022 study. */
  readonly published?: Published;
}

/** Paths of the settings that the tables vary; nobody else may set them. */
export const VARIED_PATHS = [
  "distilled.labels",
  "distilled.attention_labels",
  "inner.steps",
  "model.init",
] as const;

/** γ of the study's runs with several inner steps, whose rates are 0.5, 0.1, 0.02. */
const DECAY_OF_SEVERAL_STEPS = 0.2;

const FULL: StudyRow = {
  kind: "full",
  settings: new Map(),
  figure: { mean: 94.7, std: null },
};
const { HARD: hard, RESTRICTED: restricted, UNRESTRICTED: free } = Labels;
const { NONE: none, CLS: cls, ALL: all } = AttentionLabels;

const HARD = distilled(hard, none, 1, { mean: 86.3, std: 3.4 });
const RESTRICTED = distilled(restricted, none, 1, { mean: 87.1, std: 1.4 });
const UNRESTRICTED = distilled(free, none, 1, { mean: 88.0, std: 1.0 });
const WITH_CLS = distilled(free, cls, 1, { mean: 90.7, std: 0.2 });
const WITH_ALL = distilled(free, all, 1, { mean: 90.3, std: 0.4 });

/** Learners on distilled data, by the settings that the study's tables vary. */
export function distilled(
  labels: Labels,
  attention: AttentionLabels,
  steps: number,
  figure?: StudyFigure,
  init: Init = Init.RANDOM,
): StudyRow {
  const settings = new Map<string, FieldValue>([
    ["distilled.labels", labels],
    ["distilled.attention_labels", attention],
    ["inner.steps", steps],
    ["model.init", init],
  ]);
  if (steps > 1) settings.set("inner.lr_decay", DECAY_OF_SEVERAL_STEPS);
  return { kind: "distilled", settings, ...(figure === undefined ? {} : { figure }) };
}

/** The six tables of the 2022 study: AG News, DistilBERT, 4 samples. */
export const STUDY_TABLES: readonly StudyTable[] = [
  { id: "summary", title: "Summary", rows: [FULL, HARD, WITH_CLS] },
  { id: "full-data", title: "Full data", rows: [FULL] },
  {
    id: "init",
    title: "Fixed and random initialisation",
    rows: [FULL, distilled(hard, none, 1, { mean: 90.6, std: null }, Init.FIXED), HARD],
  },
  {
    id: "soft-labels",
    title: "Soft labels",
    rows: [FULL, HARD, RESTRICTED, UNRESTRICTED],
  },
  {
    id: "attention-labels",
    title: "Attention labels",
    rows: [FULL, HARD, RESTRICTED, UNRESTRICTED, WITH_CLS, WITH_ALL],
  },
  {
    id: "inner-steps",
    title: "Several inner steps",
    rows: [
      HARD,
      distilled(hard, none, 3, { mean: 84.8, std: 3.1 }),
      RESTRICTED,
      distilled(restricted, none, 3, { mean: 84.9, std: 2.7 }),
      UNRESTRICTED,
      distilled(free, none, 3, { mean: 86.9, std: 1.1 }),
    ],
  },
];
