import type { BaselineId } from "../baselines.js";
import { Init } from "../generated/stillhouse/v1/spec.js";
import type { FieldValue } from "../settings/field-path.js";
import { ACL2023_TABLES } from "./acl2023-tables.js";
import { INTERNAL_TABLES } from "./internal-tables.js";
import { type RowSettings, STUDY_TABLES, type StudyRow, type StudyTable } from "./tables.js";
import { TEXT_SYSTEMS } from "./text-systems.js";

/** As many as Wang et al. test on. */
const NETS = 200;

const OWN_VALIDATION =
  "A twentieth of train is held out, so that nothing is chosen on test, and the seeds are ours.";

/**
 * Works that the 2022 study stands on, each as one table: a further one is a further entry. A
 * figure stands here only if the work, its released code or its logs could be read.
 */
const SYSTEMS: readonly StudyTable[] = [
  {
    id: "wang-mnist",
    title: "Wang et al. (2018): MNIST, LeNet",
    published: {
      source: "the abstract of Wang et al., Dataset Distillation (2018)",
      presets: { full: "wang-mnist", cpu: "wang-mnist-cpu" },
      differs: OWN_VALIDATION,
    },
    rows: [
      { kind: "full", settings: new Map(), figure: { mean: 99, std: null } },
      { kind: "distilled", settings: new Map(), figure: { mean: 94, std: null } },
      ...baselineRows("untrained", "random", "k-means", "class-means", "knn", "knn-k-means"),
      {
        kind: "distilled",
        settings: settingsOf({
          "model.init": Init.RANDOM,
          "distilled.blocks": 10,
          "inner.steps": 30,
        }),
        usual: settingsOf({ "evaluation.inits": NETS }),
        // Thirty steps at a rate for three diverge; each outer step takes ten times as long.
        usualOnCpu: settingsOf({
          "evaluation.inits": NETS,
          "inner.lr": 0.02,
          "outer.lr": 0.02,
          "outer.steps": 1000,
        }),
      },
    ],
  },
  {
    id: "wang-cifar10",
    title: "Wang et al. (2018): CIFAR-10, AlexCifarNet",
    published: {
      source: "the abstract of Wang et al., Dataset Distillation (2018)",
      presets: { full: "wang-cifar10", cpu: "wang-cifar10-cpu" },
      differs: `${OWN_VALIDATION} A part of CIFAR-10 gives lower figures than the whole.`,
    },
    rows: [
      { kind: "full", settings: new Map(), figure: { mean: 80, std: null } },
      { kind: "distilled", settings: new Map(), figure: { mean: 54, std: null } },
      ...baselineRows("untrained", "random", "k-means", "class-means", "knn", "knn-k-means"),
    ],
  },
  {
    id: "wang-adapt",
    title: "Wang et al. (2018): MNIST to USPS, LeNet",
    published: {
      source: "Wang et al., Dataset Distillation (2018), whose figures for this could not be read",
      presets: { full: "wang-adapt", cpu: "wang-adapt-cpu" },
      differs: `${OWN_VALIDATION} The images keep the size that the set at hand has.`,
    },
    rows: pooledRows(),
  },
  {
    id: "wang-attack",
    title: "Wang et al. (2018): attack on MNIST, LeNet",
    published: {
      source: "Wang et al., Dataset Distillation (2018), whose figures for this could not be read",
      presets: { full: "wang-attack", cpu: "wang-attack-cpu" },
      differs: `${OWN_VALIDATION} Their attack is on networks for CIFAR-10.`,
    },
    rows: pooledRows(),
  },
  {
    id: "soft-mnist",
    title: "Sucholutsky and Schonlau (2021): MNIST, LeNet, soft labels",
    published: {
      source: "the abstract of Sucholutsky and Schonlau, Soft-Label Dataset Distillation (2021)",
      presets: { full: "soft-mnist", cpu: "soft-mnist-cpu" },
      differs: OWN_VALIDATION,
      isOverSamples: true,
    },
    rows: [
      { kind: "full", settings: new Map(), figure: { mean: 99, std: null } },
      softRow("7"),
      softRow("3,7"),
      softRow("0,3,7"),
      softRow("0,1,2,3,4", 92),
      softRow("0,1,2,3,4,5,6,7,8,9", 96),
    ],
  },
];

/** All that `reproduce` knows. */
export const TABLES: readonly StudyTable[] = [
  ...STUDY_TABLES,
  ...INTERNAL_TABLES,
  ...SYSTEMS,
  ...TEXT_SYSTEMS,
  ...ACL2023_TABLES,
];

/** Learners whose samples start as these classes, as the released scripts start them. */
function softRow(classes: string, accuracy?: number): StudyRow {
  return {
    kind: "distilled",
    settings: settingsOf({
      "distilled.samples": classes.split(",").length,
      "distilled.sample_classes": classes,
    }),
    ...(accuracy === undefined ? {} : { figure: { mean: accuracy, std: null } }),
  };
}

/** Learners that were trained before: what they reach as they are, and what full data and real samples do. */
function pooledRows(): StudyRow[] {
  return [
    { kind: "full", settings: new Map() },
    ...baselineRows("untrained", "random"),
    { kind: "distilled", settings: new Map() },
  ];
}

function baselineRows(...ids: BaselineId[]): StudyRow[] {
  return ids.map((kind) => ({ kind, settings: new Map() }));
}

function settingsOf(values: Record<string, FieldValue>): RowSettings {
  return new Map(Object.entries(values));
}
