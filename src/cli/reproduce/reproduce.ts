import { createHash } from "node:crypto";
import { basename, join, resolve } from "node:path";
import { reproductionMarkdown } from "../../report/reproduction-text.js";
import type { StudyRow, StudyTable } from "../../study/tables.js";
import { type GroupSurroundings, guarded, runMembers } from "../group/group-command.js";
import { requireSuccess } from "../group/group-run.js";
import type { ExperimentOutput } from "../run/experiment-output.js";
import type { Outcome } from "../run/experiment-runner.js";
import type { Session } from "../run/session.js";
import { npmCommand } from "../terminal/npm-command.js";
import { writeResultFile } from "../terminal/result-file.js";
import { type ReportDetails, reportContent } from "./report-content.js";
import { type InspectArtifact, inspectOutcomes, seriesOfOutcomes } from "./report-details.js";
import { parseReproduceArguments, type ReproduceRun } from "./reproduce-arguments.js";
import { type Cell, cellsOf, keyOf } from "./reproduce-cells.js";
import { type ReportFiles, reproduceDocument, reproduceText } from "./reproduce-output.js";
import { areStopped, type ReproducedTable, reproducedTables } from "./study-table.js";

export interface ReproduceSurroundings extends GroupSurroundings {
  /** Where reports go unless a folder is named. */
  readonly reportsFolder: string;
  readonly inspectArtifact: InspectArtifact;
  /** Hash over the worker's code and packages. */
  readonly codeVersion: () => string;
}

/** Exit code. */
const SOME_FAILED = 1;

/**
 * The command `reproduce`: the tables of the study, as one group of experiments.
 *
 * @param argv what follows the command's name.
 * @returns the exit code; 1 when one of the experiments failed, though the results of the others
 *   are reported.
 */
export function runReproduce(
  argv: readonly string[],
  surroundings: ReproduceSurroundings,
): Promise<number> {
  return guarded(argv, surroundings, async (output) => {
    const { terminal, dataDir } = surroundings;
    const request = parseReproduceArguments(argv, { ...surroundings, columns: terminal.columns });
    if (request.kind === "help") {
      output.help(request.text);
      return undefined;
    }
    const cells = cellsOf(request, dataDir);
    const tables = await runMembers(
      cells,
      request,
      surroundings,
      output,
      async (outcomes, session) => {
        const tables = tablesOf(request, cells, outcomes);
        if (!tables.some(isMeasured)) requireSuccess(outcomes);
        const details = await session.untilStopped(
          detailsOf(outcomes, session, surroundings, request, argv),
        );
        const files = filesOf(request, outcomes, surroundings);
        await writeReport(tables, outcomes, details, files);
        show(tables, files, output, surroundings);
        return tables;
      },
    );
    const failed = tables?.flatMap(({ rows }) => rows).flatMap((row) => row.failed) ?? [];
    if (failed.length === 0) return undefined;
    output.progress.note(
      areStopped(failed)
        ? "Some experiments were stopped; the same command continues them"
        : "Some experiments have failed; the same command retries them",
    );
    return SOME_FAILED;
  });
}

function tablesOf(
  { tables }: ReproduceRun,
  cells: readonly Cell[],
  outcomes: readonly Outcome[],
): ReproducedTable[] {
  const outcomesOf = (table: StudyTable, row: StudyRow) => {
    const key = keyOf(table, row);
    return cells.flatMap((cell, at) => (cell.key === key ? [outcomes[at] as Outcome] : []));
  };
  return reproducedTables(tables, outcomesOf);
}

function isMeasured({ rows }: ReproducedTable): boolean {
  return rows.some(({ measured }) => measured !== undefined);
}

async function detailsOf(
  outcomes: readonly Outcome[],
  { connection, progress }: Session,
  { inspectArtifact, codeVersion }: ReproduceSurroundings,
  { server }: ReproduceRun,
  argv: readonly string[],
): Promise<ReportDetails> {
  progress.note("Writing the report");
  return {
    command: npmCommand("reproduce", argv),
    // Elsewhere another version may have computed.
    codeVersion: server === undefined ? codeVersion() : undefined,
    series: await seriesOfOutcomes(outcomes, connection),
    inspected: await inspectOutcomes(outcomes, connection, inspectArtifact, (done, total) =>
      progress.work("Reading the distilled data", done, total),
    ),
  };
}

async function writeReport(
  tables: readonly ReproducedTable[],
  outcomes: readonly Outcome[],
  details: ReportDetails,
  files: ReportFiles,
): Promise<void> {
  const content = reportContent(tables, outcomes, details);
  writeResultFile(files.report, reproductionMarkdown(content));
  // Drawing takes libraries that no other command needs.
  const { reproductionPage } = await import("../../report/reproduction-page.js");
  writeResultFile(files.page, reproductionPage(content));
}

function show(
  tables: readonly ReproducedTable[],
  files: ReportFiles,
  output: ExperimentOutput,
  { terminal }: ReproduceSurroundings,
): void {
  output.progress.close();
  if (output.isJson) output.document(reproduceDocument(tables, files));
  else terminal.stdout.write(reproduceText(tables, files));
}

function filesOf(
  { reportFolder }: ReproduceRun,
  outcomes: readonly Outcome[],
  { userFolder, reportsFolder }: ReproduceSurroundings,
): ReportFiles {
  const folder = resolve(userFolder, reportFolder ?? join(reportsFolder, reportName(outcomes)));
  return { report: join(folder, "report.md"), page: join(folder, "report.html") };
}

/** Data set, model, and a hash over what was computed: the same command writes the same report. */
function reportName(outcomes: readonly Outcome[]): string {
  const spec = outcomes[0]?.experiment.spec;
  const hash = createHash("sha256");
  for (const { experiment } of outcomes) hash.update(experiment.specHash);
  const names = [basename(spec?.dataset?.name ?? ""), basename(spec?.model?.name ?? "")];
  return [...names, hash.digest("hex").slice(0, 8)].join("-").replaceAll(/[^\w.-]+/g, "_");
}
