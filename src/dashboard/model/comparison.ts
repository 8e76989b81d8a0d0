import type {
  CompareExperimentsResponse,
  Interval,
} from "../../generated/page/stillhouse/v1/service.js";
import {
  comparisonNote,
  type SeedRow,
  type Spread,
  spreadOf,
  spreadOfDifference,
} from "../../results/distillations.js";
import {
  formatBetween,
  formatGain,
  formatGainRange,
  formatInterval,
  formatMeanStd,
} from "../../text/format.js";
import type { TextTable } from "../../text/table-text.js";
import type { ExperimentView } from "./experiment-view.js";

const SEED = "seed";

export interface ComparedView {
  readonly id: string;
  /** Unique among the compared experiments; for tables and legends. */
  readonly label: string;
  readonly mean: number | undefined;
  readonly std: number | undefined;
  readonly interval: readonly [low: number, high: number] | undefined;
  /** Mean of the differences to the first on the same init seeds. */
  readonly gain: number | undefined;
  readonly gainInterval: readonly [low: number, high: number] | undefined;
  readonly sharedInits: number;
}

/** Settings that one or more of the compared experiments have, whatever their seeds. */
export interface ComparedSetting {
  readonly label: string;
  /** Ids of its experiments. */
  readonly ids: readonly string[];
  /** Its values of the fields in which the experiments differ, without the seed. */
  readonly values: readonly string[];
  /** Over the distillations with a result; undefined before there is one. */
  readonly spread: Spread | undefined;
  /**
   * How much greater its accuracy is than that of the first setting, over the seeds of both;
   * undefined for the first one, and where no seed is in both.
   */
  readonly difference: Spread | undefined;
}

export interface Comparison {
  /** The settings of the experiments, in the order of their first ones. */
  readonly settings: readonly ComparedSetting[];
  /** What the differences between the settings can tell; empty with fewer than two. */
  readonly note: string;
  /** Path of a field and its value in each experiment. */
  readonly differences: readonly { readonly field: string; readonly values: readonly string[] }[];
  readonly experiments: readonly ComparedView[];
}

/** @param views of the same experiments; where two have the same title, the id is added */
export function comparisonOf(
  answer: CompareExperimentsResponse,
  views: readonly ComparedTitle[],
): Comparison {
  const { experiments, differences } = answer;
  const titles = new Map(views.map(({ id, title }) => [id, title]));
  const all = experiments.map(({ experimentId }) => titles.get(experimentId) ?? experimentId);
  const settings = settingsOf(answer, views);
  const measured = settings.flatMap(({ spread }) => spread?.distillations.n ?? []);
  return {
    settings,
    note: measured.length < 2 ? "" : comparisonNote(measured),
    differences,
    experiments: experiments.map((one, at) => {
      const { experimentId: id, accuracyMean: mean, accuracyStd: std, gain } = one;
      const title = all[at] ?? id;
      const isDouble = all.indexOf(title) !== all.lastIndexOf(title);
      return {
        id,
        label: isDouble ? `${title} (${id})` : title,
        mean,
        std,
        interval: intervalOf(one.accuracyInterval),
        gain,
        gainInterval: intervalOf(one.gainInterval),
        sharedInits: one.sharedInits,
      };
    }),
  };
}

type ComparedTitle = Pick<ExperimentView, "id" | "title" | "seed" | "results">;

function settingsOf(
  { experiments, differences }: CompareExperimentsResponse,
  views: readonly ComparedTitle[],
): ComparedSetting[] {
  const fields = differences.filter(({ field }) => field !== SEED);
  const groups = new Map<string, { values: readonly string[]; views: ComparedTitle[] }>();
  experiments.forEach(({ experimentId }, at) => {
    const view = views.find(({ id }) => id === experimentId);
    if (view === undefined) return;
    const values = fields.map((field) => field.values[at] ?? "");
    const key = JSON.stringify(values);
    groups.set(key, { values, views: [...(groups.get(key)?.views ?? []), view] });
  });
  const found = [...groups.values()].map((group) => ({ ...group, rows: seedRows(group.views) }));
  return found.map(({ values, views, rows }, at) => ({
    label: views[0]?.title ?? "",
    ids: views.map(({ id }) => id),
    values,
    spread: rows.length === 0 ? undefined : spreadOf(rows.map(({ row }) => row)),
    difference:
      at === 0 ? undefined : (spreadOfDifference(rows, found[0]?.rows ?? []) ?? undefined),
  }));
}

/** Of the distilled data; experiments with the same seed are the same distillation. */
function seedRows(views: readonly ComparedTitle[]): SeedRow[] {
  const rows = views.flatMap(({ seed, results }) => {
    const row = results.find(({ kind }) => kind === "distilled");
    return row === undefined ? [] : [[seed, { seed, row }] as const];
  });
  return [...new Map(rows).values()];
}

/** Whether a setting was distilled more than once. */
export function hasSeveralDistillations({ settings }: Comparison): boolean {
  return settings.some(({ spread }) => (spread?.distillations.n ?? 0) > 1);
}

/** Each setting over its distillations, with the spread between learners and that between those. */
export function settingsTable({ differences, settings }: Comparison): TextTable {
  return {
    head: [
      "setting",
      ...differences.map(({ field }) => field).filter((field) => field !== SEED),
      ...["distillations", "accuracy %", "± between distillations", "95 % interval"],
      "difference to the first",
    ],
    rows: settings.map(({ label, values, spread, difference }) => [
      label,
      ...values,
      ...spreadCells(spread),
      difference === undefined ? "" : differenceText(difference),
    ]),
  };
}

function spreadCells(spread: Spread | undefined): string[] {
  if (spread === undefined) return ["0", "", "", ""];
  const { learners, distillations } = spread;
  return [
    String(distillations.n),
    formatMeanStd(distillations.mean, learners.std),
    formatBetween(distillations.std),
    rangeText(distillations.interval95 ?? undefined),
  ];
}

function differenceText({ distillations }: Spread): string {
  const seeds = `${distillations.n} shared ${distillations.n === 1 ? "seed" : "seeds"}`;
  return [`${formatGainRange(distillations)}`, formatBetween(distillations.std), `(${seeds})`]
    .filter(Boolean)
    .join(" ");
}

function intervalOf(interval: Interval | undefined): readonly [number, number] | undefined {
  return interval === undefined ? undefined : [interval.low, interval.high];
}

/** The experiments: the settings that differ, accuracy, and the difference to the first. */
export function comparisonTable({ differences, experiments }: Comparison): TextTable {
  return {
    head: [
      "experiment",
      ...differences.map(({ field }) => field),
      "accuracy %",
      "95 % interval",
      "difference to the first",
      "95 % interval of the difference",
    ],
    rows: experiments.map((one, at) => [
      one.label,
      ...differences.map(({ values }) => values[at] ?? ""),
      one.mean === undefined ? "" : formatMeanStd(one.mean, one.std),
      rangeText(one.interval),
      one.gain === undefined ? "" : formatGain(one.gain),
      one.gainInterval === undefined
        ? ""
        : `${formatGain(one.gainInterval[0])} to ${formatGain(one.gainInterval[1])}`,
    ]),
  };
}

/** The tables of the comparison, as they are read. */
export function tablesOf(comparison: Comparison): TextTable[] {
  const hasSeveral = hasSeveralDistillations(comparison);
  return [comparisonTable(comparison), ...(hasSeveral ? [settingsTable(comparison)] : [])];
}

function rangeText(interval: readonly [number, number] | undefined): string {
  return interval === undefined ? "" : formatInterval(interval);
}

/** The numbers themselves, unrounded, for programs that read them. */
export function numberTable({ differences, experiments, settings }: Comparison): TextTable {
  return {
    head: [
      "id",
      "experiment",
      ...differences.map(({ field }) => field),
      ...NUMBERS.map(([head]) => head),
    ],
    rows: experiments.map((one, at) => {
      const spread = settings.find(({ ids }) => ids.includes(one.id))?.spread;
      const numbers = NUMBERS.map(([, numberOf]) => numberOf(one, spread?.distillations));
      return [
        one.id,
        one.label,
        ...differences.map(({ values }) => values[at] ?? ""),
        ...numbers.map((value) => (value === undefined || value === null ? "" : String(value))),
      ];
    }),
  };
}

/** What an experiment has, and what the distillations of its setting have together. */
type NumberOf = (
  one: ComparedView,
  distillations: Spread["distillations"] | undefined,
) => number | null | undefined;

/** The columns of numbers. */
const NUMBERS: readonly (readonly [head: string, numberOf: NumberOf])[] = [
  ["accuracy_mean", ({ mean }) => mean],
  ["accuracy_std", ({ std }) => std],
  ["accuracy_low", ({ interval }) => interval?.[0]],
  ["accuracy_high", ({ interval }) => interval?.[1]],
  ["gain", ({ gain }) => gain],
  ["gain_low", ({ gainInterval }) => gainInterval?.[0]],
  ["gain_high", ({ gainInterval }) => gainInterval?.[1]],
  ["shared_inits", ({ sharedInits }) => sharedInits],
  ["distillations", (_, distillations) => distillations?.n],
  ["distillations_std", (_, distillations) => distillations?.std],
];
