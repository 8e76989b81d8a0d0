import type {
  CompareExperimentsResponse,
  Interval,
} from "../../generated/page/stillhouse/v1/service.js";
import { formatGain, formatInterval, formatMeanStd } from "../../text/format.js";
import type { TextTable } from "../../text/table-text.js";

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

export interface Comparison {
  /** Path of a field and its value in each experiment. */
  readonly differences: readonly { readonly field: string; readonly values: readonly string[] }[];
  readonly experiments: readonly ComparedView[];
}

/** @param titles by id; where two are the same, the id is added */
export function comparisonOf(
  answer: CompareExperimentsResponse,
  titles: ReadonlyMap<string, string>,
): Comparison {
  const { experiments, differences } = answer;
  const all = experiments.map(({ experimentId }) => titles.get(experimentId) ?? experimentId);
  return {
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

function intervalOf(interval: Interval | undefined): readonly [number, number] | undefined {
  return interval === undefined ? undefined : [interval.low, interval.high];
}

/** The comparison as one table: the settings that differ, accuracy, and the gain over the first. */
export function comparisonTable({ differences, experiments }: Comparison): TextTable {
  return {
    head: [
      "experiment",
      ...differences.map(({ field }) => field),
      "accuracy %",
      "95 % interval",
      "gain",
      "95 % interval of the gain",
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

function rangeText(interval: readonly [number, number] | undefined): string {
  return interval === undefined ? "" : formatInterval(interval);
}

/** The numbers themselves, unrounded, for programs that read them. */
export function numberTable({ differences, experiments }: Comparison): TextTable {
  const number = (value: number | undefined) => (value === undefined ? "" : String(value));
  return {
    head: [
      "id",
      "experiment",
      ...differences.map(({ field }) => field),
      "accuracy_mean",
      "accuracy_std",
      "accuracy_low",
      "accuracy_high",
      "gain",
      "gain_low",
      "gain_high",
      "shared_inits",
    ],
    rows: experiments.map((one, at) => [
      one.id,
      one.label,
      ...differences.map(({ values }) => values[at] ?? ""),
      number(one.mean),
      number(one.std),
      number(one.interval?.[0]),
      number(one.interval?.[1]),
      number(one.gain),
      number(one.gainInterval?.[0]),
      number(one.gainInterval?.[1]),
      String(one.sharedInits),
    ]),
  };
}
