import type { Numbers } from "../../report/number-table.js";
import type { Summary } from "../../statistics.js";
import type { StudyFigure } from "../../study/tables.js";
import {
  formatCount,
  formatDecimals,
  formatGainRange,
  formatMeanStd,
  formatPercent,
  formatSeconds,
  formatValue,
} from "../../text/format.js";
import { areStopped, type Measured, type ReproducedRow } from "./study-table.js";

interface Column {
  readonly name: string;
  /** Empty where a row has nothing to show. */
  readonly cell: (row: ReproducedRow) => string;
  /** Whether there is room for it on a page alone. */
  readonly isOfPage?: boolean;
}

const COLUMNS: readonly Column[] = [
  { name: "data", cell: ({ label }) => label },
  measured("#train samples", ({ seeds }) => formatCount(seeds[0].row.trainSamples)),
  measured("#GD steps", ({ seeds }) => formatCount(seeds[0].row.gdSteps)),
  {
    name: "accuracy (%)",
    cell: ({ measured, failed }) =>
      measured === undefined ? (areStopped(failed) ? "stopped" : "failed") : accuracyText(measured),
  },
  measured("n", ({ accuracy }) => String(accuracy.n)),
  measured("gain", ({ differences }) => gainText(differences.at(-1)?.gain ?? null)),
  { ...measured("macro F1 (%)", ({ macroF1 }) => formatPercent(macroF1)), isOfPage: true },
  { ...measured("loss", ({ loss }) => formatValue(loss)), isOfPage: true },
  {
    ...measured("train", ({ trainTimeS }) =>
      trainTimeS === null ? "" : formatSeconds(trainTimeS),
    ),
    isOfPage: true,
  },
  { name: "study (%)", cell: ({ figure }) => figureText(figure) },
];

/** The rows of a table as texts. */
export function numbersOf(rows: readonly ReproducedRow[], isPage: boolean): Numbers {
  const columns = COLUMNS.filter(({ isOfPage }) => isPage || !isOfPage);
  return {
    head: columns.map(({ name }) => name),
    rows: rows.map((row) => columns.map(({ cell }) => cell(row))),
  };
}

/** Every row of distilled data beside those above it; undefined where `gain` says as much. */
export function differencesOf(rows: readonly ReproducedRow[]): Numbers | undefined {
  const compared = rows.filter(({ measured }) => (measured?.differences.length ?? 0) > 0);
  if (compared.length < 2) return undefined;
  const others = compared.at(-1)?.measured?.differences.map(({ to }) => to) ?? [];
  return {
    head: ["row, minus", ...others],
    rows: compared.map(({ name, measured }) => [
      name,
      ...others.map((_, at) => gainText(measured?.differences[at]?.gain ?? null)),
    ]),
  };
}

function measured(name: string, cell: (measured: Measured) => string): Column {
  return { name, cell: (row) => (row.measured === undefined ? "" : cell(row.measured)) };
}

function accuracyText({ accuracy, stdBetweenSeeds }: Measured): string {
  const text = formatMeanStd(accuracy.mean, accuracy.std);
  if (stdBetweenSeeds === null) return text;
  return `${text} (seeds ± ${formatPercent(stdBetweenSeeds)})`;
}

function gainText(gain: Summary | null): string {
  return gain === null ? "" : formatGainRange(gain);
}

function figureText({ mean, std }: StudyFigure): string {
  return [mean, ...(std === null ? [] : [std])].map((one) => formatDecimals(one, 1)).join(" ± ");
}
