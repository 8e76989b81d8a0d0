import type { Numbers } from "../../report/number-table.js";
import type { Spread } from "../../results/distillations.js";
import type { StudyFigure } from "../../study/tables.js";
import {
  formatBetweenSeeds,
  formatCount,
  formatDecimals,
  formatGainRange,
  formatMeanStd,
  formatPercent,
  formatSeconds,
  formatValue,
} from "../../text/format.js";
import {
  areStopped,
  type Measured,
  type ReproducedRow,
  type ReproducedTable,
} from "./study-table.js";

interface Column {
  readonly name: string;
  /** Empty where a row has nothing to show. */
  readonly cell: (row: ReproducedRow) => string;
  /** Whether there is room for it on a page alone. */
  readonly isOfPage?: boolean;
}

const COLUMNS: readonly Column[] = [
  { name: "data", cell: ({ label }) => label },
  measured("#train samples", ({ row }) => formatCount(row.trainSamples)),
  measured("#GD steps", ({ row }) => formatCount(row.gdSteps)),
  {
    name: "accuracy (%)",
    cell: ({ measured, failed }) =>
      measured === undefined ? (areStopped(failed) ? "stopped" : "failed") : accuracyText(measured),
  },
  measured("n", ({ row }) => String(row.accuracy.n)),
  measured("difference", ({ differences }) => differenceText(differences.at(-1)?.spread ?? null)),
  { ...measured("macro F1 (%)", ({ row }) => formatPercent(row.macroF1)), isOfPage: true },
  { ...measured("loss", ({ row }) => formatValue(row.loss)), isOfPage: true },
  {
    ...measured("train", ({ row }) =>
      row.trainTimeS === null ? "" : formatSeconds(row.trainTimeS),
    ),
    isOfPage: true,
  },
];

/** The rows of a table as texts; the last column has the figures of the work. */
export function numbersOf(
  { rows, published }: Pick<ReproducedTable, "rows" | "published">,
  isPage: boolean,
): Numbers {
  const figures: Column = {
    name: published === undefined ? "study (%)" : "published (%)",
    cell: ({ figure }) => (figure === undefined ? "" : figureText(figure)),
  };
  const columns = [...COLUMNS.filter(({ isOfPage }) => isPage || !isOfPage), figures];
  return {
    head: columns.map(({ name }) => name),
    rows: rows.map((row) => columns.map(({ cell }) => cell(row))),
  };
}

/** Every row of distilled data beside those above it; undefined where `difference` says as much. */
export function differencesOf(rows: readonly ReproducedRow[]): Numbers | undefined {
  const compared = rows.filter(({ measured }) => (measured?.differences.length ?? 0) > 0);
  if (compared.length < 2) return undefined;
  const others = compared.at(-1)?.measured?.differences.map(({ to }) => to) ?? [];
  return {
    head: ["row, minus", ...others],
    rows: compared.map(({ name, measured }) => [
      name,
      ...others.map((_, at) => differenceText(measured?.differences[at]?.spread ?? null)),
    ]),
  };
}

function measured(name: string, cell: (measured: Measured) => string): Column {
  return { name, cell: (row) => (row.measured === undefined ? "" : cell(row.measured)) };
}

function accuracyText({ row: { spread } }: Measured): string {
  const { learners, distillations } = spread;
  return formatMeanStd(learners.mean, learners.std) + formatBetweenSeeds(distillations.std);
}

function differenceText(spread: Spread | null): string {
  if (spread === null) return "";
  return formatGainRange(spread.learners) + formatBetweenSeeds(spread.distillations.std);
}

function figureText({ mean, std }: StudyFigure): string {
  return [mean, ...(std === null ? [] : [std])].map((one) => formatDecimals(one, 1)).join(" ± ");
}
