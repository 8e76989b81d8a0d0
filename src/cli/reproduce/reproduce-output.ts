import { comparisonNote, type Spread } from "../../results/distillations.js";
import { INTERVAL_RULE } from "../../statistics.js";
import { formatDuration } from "../../text/format.js";
import { rowDocument, summaryDocument } from "../results/result-document.js";
import { Table } from "../terminal/table.js";
import { publishedLines } from "./published-run.js";
import { numbersOf } from "./reproduce-columns.js";
import type { Measured, ReproducedRow, ReproducedTable } from "./study-table.js";

/** Paths of what was written. */
export interface ReportFiles {
  /** Markdown. */
  readonly report: string;
  /** HTML. */
  readonly page: string;
}

const LEGEND =
  "accuracy: mean ± population std over test learners; seeds ±: population std of the means of the " +
  "distillations; difference: to the distilled row above, mean over learners with the same seeds, " +
  `with its 95 % interval (${INTERVAL_RULE}) and the ± between distillations`;

/** Where the figures in the last column are from. */
export function figuresText(tables: readonly ReproducedTable[]): string {
  const isOfStudy = tables.some(({ published }) => published === undefined);
  const isOfOthers = tables.some(({ published }) => published !== undefined);
  return [
    ...(isOfStudy ? ["study: AG News, DistilBERT, 100 learners"] : []),
    ...(isOfOthers ? ["published: from the work named below the table"] : []),
  ].join("; ");
}

/** What the differences between the rows of distilled data can show. */
export function noteOf(tables: readonly ReproducedTable[]): string {
  const rows = tables.flatMap((table) => table.rows);
  return comparisonNote(rows.flatMap(({ measured }) => measured?.seeds.length ?? []));
}

/** The tables as a person reads them. */
export function reproduceText(tables: readonly ReproducedTable[], files: ReportFiles): string {
  const parts = tables.map((reproduced) => {
    const { title, rows, computingS } = reproduced;
    const numbers = numbersOf(reproduced, false);
    const table = new Table({
      head: numbers.head.map((name) => name.replace(" ", "\n")),
      colAligns: ["left", ...numbers.head.slice(1).map(() => "right" as const)],
      style: { head: [], border: [] },
    });
    table.push(...numbers.rows.map((row) => [...row]));
    const below = [...failureLines(rows), ...publishedLines(reproduced), timeText(computingS)];
    return [title, table.toString(), ...below].join("\n");
  });
  return `\n${parts.join("\n\n")}\n\n${LEGEND}; ${figuresText(tables)}.\n${noteOf(tables)}\nReport: ${files.report}\nPage:   ${files.page}\n`;
}

/** A line for each seed without a result. */
export function failureLines(rows: readonly ReproducedRow[]): string[] {
  return rows.flatMap(({ name, failed }) =>
    failed.map(({ seed, reason, isStopped }) =>
      isStopped
        ? `${name}, seed ${seed} was stopped`
        : `${name}, seed ${seed} has failed: ${reason}`,
    ),
  );
}

/** How long workers computed. */
export function timeText(seconds: number): string {
  return `Computing it took ${formatDuration(seconds)}.`;
}

/** The tables as one JSON document. */
export function reproduceDocument(tables: readonly ReproducedTable[], files: ReportFiles): object {
  return {
    tables: tables.map((table) => ({
      id: table.id,
      title: table.title,
      computing_s: table.computingS,
      ...(table.published === undefined ? {} : { differs: publishedLines(table) }),
      rows: table.rows.map(document),
    })),
    ...files,
  };
}

function document({ label, figure, measured, failed }: ReproducedRow): object {
  return {
    ...(measured === undefined ? {} : measuredDocument(measured)),
    label,
    failed: failed.map(({ seed, experimentId, reason }) => ({
      seed,
      experiment_id: experimentId,
      reason,
    })),
    study:
      figure === undefined
        ? null
        : { mean: figure.mean / 100, std: figure.std === null ? null : figure.std / 100 },
  };
}

function measuredDocument({ seeds, row, differences }: Measured): object {
  const { distillations } = row.spread;
  const gain = differences.at(-1)?.spread?.learners ?? null;
  return {
    ...rowDocument(row),
    experiment_id: seeds[0].experimentId,
    std_between_seeds: distillations.std,
    distillations: summaryDocument(distillations),
    gain: gain === null ? null : summaryDocument(gain),
    differences: differences.map(({ to, spread }) => ({ to, ...differenceDocument(spread) })),
    seeds: seeds.map(({ seed, experimentId, row }) => ({
      seed,
      experiment_id: experimentId,
      accuracy: summaryDocument(row.accuracy),
    })),
  };
}

function differenceDocument(spread: Spread | null): object {
  if (spread === null) return { mean: null };
  const { learners, distillations } = spread;
  return { ...summaryDocument(learners), distillations: summaryDocument(distillations) };
}
