import { Init, Labels } from "../generated/stillhouse/v1/spec.js";
import type { FieldValue } from "../settings/field-path.js";
import type { StudyFigure, StudyRow, StudyTable } from "./tables.js";

/** As many as Sucholutsky and Schonlau test on. */
const NETS = 200;
const LOGS =
  "the logs in the released code of Sucholutsky and Schonlau, Text Dataset Distillation (2021)";
const DIFFERS =
  "A twentieth of train is held out where there is no validation split, the seeds are ours, word " +
  "vectors are fixed on full data too, and padding is not read. ";
const TWO_CLASSES =
  "Two classes have two logits, whose difference is cut at 0, and no label is inverted: their code " +
  "cuts one logit at 0.5 and inverts the labels of real samples, so the figures compare in part. ";

const RANDOM = { "model.init": Init.RANDOM };

/** Works on word vectors. */
export const TEXT_SYSTEMS: readonly StudyTable[] = [
  {
    id: "text-imdb",
    title: "Sucholutsky and Schonlau (2021): IMDB, TextCNN",
    published: {
      source: `${LOGS}; full data: their README`,
      presets: { full: "text-imdb", cpu: "text-imdb-cpu" },
      differs: DIFFERS + TWO_CLASSES,
    },
    rows: [
      { kind: "full", settings: new Map(), figure: { mean: 87, std: null } },
      ...["untrained", "random"].map(baselineRow),
      distilled({}, {}, 76.3),
      distilled({ "distilled.per_class": 1, "inner.steps": 1 }, { "outer.lr": 0.1 }, 78.3),
      distilled(RANDOM, { "evaluation.inits": 20 }, 74.3, 3.0),
      distilled(
        { ...RANDOM, "distilled.per_class": 1, "inner.steps": 1 },
        { "evaluation.inits": NETS, "outer.lr": 0.1 },
        69.6,
        5.5,
      ),
    ],
  },
  {
    id: "text-sst5",
    title: "Sucholutsky and Schonlau (2021): SST-5, TextRNN",
    published: {
      source: LOGS,
      presets: { full: "text-sst5", cpu: "text-sst5-cpu" },
      differs: DIFFERS,
    },
    rows: [
      { kind: "full", settings: new Map() },
      ...["untrained", "random"].map(baselineRow),
      distilled({}, {}, 36.8),
      distilled({ "distilled.per_class": 1 }, { "inner.lr": 0.5, "outer.epochs": 140 }, 36.0),
      distilled({ ...RANDOM, "inner.steps": 3 }, shortSentences(), 27.8, 2.2),
      distilled({ ...RANDOM, "distilled.per_class": 1 }, shortSentences(), 23.4, 2.3),
    ],
  },
  {
    id: "text-trec6",
    title: "Sucholutsky and Schonlau (2021): TREC-6, TextLSTM",
    published: {
      source: LOGS,
      presets: { full: "text-trec6", cpu: "text-trec6-cpu" },
      differs: `${DIFFERS}A test split of 500 rows gives ± 1.5 points.`,
    },
    rows: [
      { kind: "full", settings: new Map() },
      ...["untrained", "random"].map(baselineRow),
      distilled({}, {}, 87.8),
      distilled({ "distilled.per_class": 1 }, {}, 87.4),
      distilled({ ...RANDOM, "distilled.per_class": 1 }, { "evaluation.inits": NETS }, 62.0, 8.8),
      distilled(
        { ...RANDOM, "distilled.per_class": 1, "distilled.labels": Labels.RESTRICTED },
        { "evaluation.inits": NETS },
        61.5,
        7.7,
      ),
    ],
  },
  {
    id: "text-agnews",
    title: "AG News with the learners of Sucholutsky and Schonlau (2021)",
    published: {
      source: "none: they have no run on AG News",
      presets: { full: "text-agnews", cpu: "text-agnews-cpu" },
      differs: DIFFERS,
    },
    rows: ["textcnn", "textrnn", "textlstm"].flatMap((model) => [
      { kind: "full" as const, settings: new Map([["model.name", model]]) },
      distilled({ "model.name": model }),
      distilled({ "model.name": model, ...RANDOM }),
    ]),
  },
  {
    id: "li-agnews",
    title: "Li and Li (2021): AG News, TextCNN, 108 sentences",
    published: {
      source:
        "none; the abstract says that 0.1 % of the data gives about 90 % of the accuracy of all " +
        "of it",
      presets: { full: "li-agnews", cpu: "li-agnews-cpu" },
      differs: `${DIFFERS}They take vectors of GloVe Twitter, descriptions without titles, and the best epoch on test.`,
    },
    rows: [
      { kind: "full", settings: new Map() },
      ...["untrained", "random"].map(baselineRow),
      distilled({}),
    ],
  },
];

/**
 * @param settings nobody else may give
 * @param usual settings that have this value with the published preset where nobody gives them
 */
function distilled(
  settings: Record<string, FieldValue>,
  usual: Record<string, FieldValue> = {},
  mean?: number,
  std?: number,
): StudyRow {
  const figure: StudyFigure | undefined =
    mean === undefined ? undefined : { mean, std: std ?? null };
  const onCpu = Object.entries(usual).filter(([path]) => path === "evaluation.inits");
  return {
    kind: "distilled",
    settings: new Map(Object.entries(settings)),
    usual: new Map(Object.entries(usual)),
    usualOnCpu: new Map(onCpu.map(([path]) => [path, 20])),
    ...(figure && { figure }),
  };
}

function baselineRow(kind: string): StudyRow {
  return { kind: kind === "random" ? "random" : "untrained", settings: new Map() };
}

/** With random weights they distil ten words. */
function shortSentences(): Record<string, FieldValue> {
  const steps = { "inner.lr": 0.5, "outer.lr": 0.1, "outer.epochs": 200, "evaluation.inits": NETS };
  return { ...steps, "distilled.seq_len": 10, "dataset.max_length": 10 };
}
