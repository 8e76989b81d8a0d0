import Table from "cli-table3";
import type { Summary } from "../statistics.js";
import type { StudyFigure } from "../study/tables.js";
import { formatCount, formatMeanStd, formatPercent } from "./format.js";
import { rowDocument, summaryDocument } from "./result-document.js";
import type { ReproducedRow, ReproducedTable } from "./study-table.js";

export const COLUMNS = [
  "data",
  "#train samples",
  "#GD steps",
  "accuracy (%)",
  "n",
  "gain",
  "study (%)",
];

/** Paths of what was written. */
export interface ReportFiles {
  /** Markdown. */
  readonly report: string;
  /** HTML. */
  readonly page: string;
}

/** The tables as a person reads them. */
export function reproduceText(tables: readonly ReproducedTable[], files: ReportFiles): string {
  const parts = tables.map(({ title, rows }) => {
    const table = new Table({
      head: COLUMNS.map((name) => name.replace(" ", "\n")),
      colAligns: ["left", ...COLUMNS.slice(1).map(() => "right" as const)],
      style: { head: [], border: [] },
    });
    for (const row of rows) table.push(cellsOf(row));
    return `${title}\n${table.toString()}`;
  });
  return `\n${parts.join("\n\n")}\n\n${LEGEND}\nReport: ${files.report}\nPage:   ${files.page}\n`;
}

export const LEGEND =
  "accuracy: mean ± population std over test learners; gain: mean difference to the distilled row " +
  "above over learners with the same seeds, with its 95 % bootstrap interval; study: AG News, " +
  "DistilBERT, 100 learners.";

/** The cells of a row, in the order of `COLUMNS`. */
export function cellsOf(row: ReproducedRow): string[] {
  const [first] = row.seeds;
  if (first === undefined) throw new Error("a row has at least one seed");
  const { label, trainSamples, gdSteps } = first.row;
  return [
    label,
    formatCount(trainSamples),
    formatCount(gdSteps),
    formatMeanStd(row.accuracy.mean, row.accuracy.std) + betweenSeeds(row),
    String(row.accuracy.n),
    row.gain === null ? "" : gainText(row.gain),
    figureText(row.figure),
  ];
}

function betweenSeeds({ stdBetweenSeeds, seeds }: ReproducedRow): string {
  if (stdBetweenSeeds === null) return "";
  return ` (± ${formatPercent(stdBetweenSeeds)} between ${seeds.length} seeds)`;
}

function gainText({ mean, interval95 }: Summary): string {
  const sign = mean < 0 ? "" : "+";
  if (interval95 === null) return `${sign}${formatPercent(mean)}`;
  const [low, high] = interval95.map(formatPercent);
  return `${sign}${formatPercent(mean)} [${low}, ${high}]`;
}

function figureText({ mean, std }: StudyFigure): string {
  return std === null ? mean.toFixed(1) : `${mean.toFixed(1)} ± ${std.toFixed(1)}`;
}

/** The tables as one JSON document. */
export function reproduceDocument(tables: readonly ReproducedTable[], files: ReportFiles): object {
  return {
    tables: tables.map(({ id, title, rows }) => ({ id, title, rows: rows.map(document) })),
    ...files,
  };
}

function document({ seeds, accuracy, stdBetweenSeeds, gain, figure }: ReproducedRow): object {
  const [first] = seeds;
  if (first === undefined) throw new Error("a row has at least one seed");
  return {
    ...rowDocument(first.row),
    experiment_id: first.experimentId,
    accuracy: summaryDocument(accuracy),
    std_between_seeds: stdBetweenSeeds,
    gain: gain === null ? null : summaryDocument(gain),
    seeds: seeds.map(({ seed, experimentId, row }) => ({
      seed,
      experiment_id: experimentId,
      accuracy: summaryDocument(row.accuracy),
    })),
    study: { mean: figure.mean / 100, std: figure.std === null ? null : figure.std / 100 },
  };
}
