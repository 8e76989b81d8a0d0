import { createHash } from "node:crypto";
import { basename, join, resolve } from "node:path";
import type { ExperimentSpec } from "../generated/stillhouse/v1/spec.js";
import type { FieldValue } from "../spec/field-path.js";
import { STUDY_TABLES, type StudyRow } from "../study/tables.js";
import { draftOf } from "./experiment-arguments.js";
import { type GroupSurroundings, guarded, runMembers, type Session } from "./group-command.js";
import { requireSuccess } from "./group-run.js";
import type { Member, Outcome } from "./group-runner.js";
import { npmCommand } from "./npm-command.js";
import { reportMarkdown } from "./report.js";
import { type ReportDetails, reportContent } from "./report-content.js";
import { type InspectArtifact, inspectOutcomes, seriesOfOutcomes } from "./report-details.js";
import { parseReproduceArguments, type ReproduceRequest } from "./reproduce-arguments.js";
import { reproduceDocument, reproduceText } from "./reproduce-output.js";
import { distilledLabel } from "./result.js";
import { writeResultFile } from "./result-file.js";
import { reproducedTables } from "./study-table.js";

export interface ReproduceSurroundings extends GroupSurroundings {
  /** Where reports go unless a folder is named. */
  readonly reportsFolder: string;
  readonly inspectArtifact: InspectArtifact;
  /** Hash over the worker's code and packages. */
  readonly codeVersion: () => string;
}

type Asked = Extract<ReproduceRequest, { kind: "run" }>;

/**
 * The command `reproduce`: the tables of the study, as one group of experiments.
 *
 * @param argv what follows the command's name.
 * @returns the exit code.
 */
export function runReproduce(
  argv: readonly string[],
  surroundings: ReproduceSurroundings,
): Promise<number> {
  return guarded(argv, surroundings, async (output) => {
    const { terminal, userFolder, dataDir, reportsFolder } = surroundings;
    const request = parseReproduceArguments(argv, { ...surroundings, columns: terminal.columns });
    if (request.kind === "help") {
      output.help(request.text);
      return undefined;
    }
    const cells = cellsOf(request, dataDir);
    await runMembers(cells, request, surroundings, output, async (outcomes, session) => {
      requireSuccess(outcomes);
      const outcomesOf = (row: StudyRow) =>
        cells.flatMap((cell, at) => (cell.key === keyOf(row) ? [outcomes[at] as Outcome] : []));
      const tables = reproducedTables(request.tables, outcomesOf);
      const name = request.reportFolder ?? join(reportsFolder, reportName(outcomes));
      const folder = resolve(userFolder, name);
      const files = { report: join(folder, "report.md"), page: join(folder, "report.html") };
      writeResultFile(files.report, reportMarkdown(tables, outcomes, argv));
      session.progress.note("Writing the report");
      const details = await session.untilStopped(
        detailsOf(outcomes, session, surroundings, request, argv),
      );
      // Drawing takes libraries that no other command needs.
      const { reproductionPage } = await import("../report/reproduction-page.js");
      writeResultFile(files.page, reproductionPage(reportContent(tables, outcomes, details)));
      if (output.isJson) output.document(reproduceDocument(tables, files));
      else terminal.stdout.write(reproduceText(tables, files));
    });
    return undefined;
  });
}

async function detailsOf(
  outcomes: readonly Outcome[],
  { connection }: Session,
  { inspectArtifact, codeVersion }: ReproduceSurroundings,
  { server }: Asked,
  argv: readonly string[],
): Promise<ReportDetails> {
  return {
    command: npmCommand("reproduce", argv),
    // Elsewhere another version may have computed.
    codeVersion: server === undefined ? codeVersion() : undefined,
    series: await seriesOfOutcomes(outcomes, connection),
    inspected: await inspectOutcomes(outcomes, connection, inspectArtifact),
  };
}

/** An experiment of the group, and which row of the tables it is. */
interface Cell extends Member {
  readonly key: string;
}

/** One experiment a distinct row and seed; tables share their rows. */
function cellsOf({ tables, seeds, given }: Asked, dataDir: string | undefined): Cell[] {
  const rows = new Map<string, StudyRow>();
  for (const table of STUDY_TABLES.filter(({ id }) => tables.includes(id))) {
    for (const row of table.rows) rows.set(keyOf(row), row);
  }
  return seeds.flatMap((seed) =>
    [...rows].map(([key, row]): Cell => {
      const settings = new Map<string, FieldValue>([
        ...BASELINES,
        ...(row.kind === "full" ? [["evaluation.inits", 0] as const] : row.settings),
        ...given,
        ...(row.kind === "full" ? FULL_ALONE : [["baseline.full", false] as const]),
        ["seed", seed],
      ]);
      const draft = draftOf(settings, dataDir);
      return { key, label: labelOf(row, draft, seed), draft };
    }),
  );
}

/** The tables have no others; a flag may add them. */
const BASELINES: readonly [string, FieldValue][] = [
  ["baseline.random", false],
  ["baseline.untrained", false],
];

/** Nothing is distilled for it, and no other baseline runs a second time. */
const FULL_ALONE: readonly [string, FieldValue][] = [
  ["evaluation.inits", 0],
  ["baseline.full", true],
  ["baseline.random", false],
  ["baseline.herding", false],
  ["baseline.kcenter", false],
  ["baseline.untrained", false],
];

function keyOf(row: StudyRow): string {
  return row.kind === "full" ? "full" : JSON.stringify([...row.settings]);
}

function labelOf(row: StudyRow, draft: ExperimentSpec, seed: number): string {
  if (row.kind === "full") return `Full data, seed ${seed}`;
  const steps = draft.inner?.steps ?? 1;
  return `${distilledLabel(draft)}, ${steps} step${steps === 1 ? "" : "s"}, seed ${seed}`;
}

/** Data set, model, and a hash over what was computed: the same command writes the same report. */
function reportName(outcomes: readonly Outcome[]): string {
  const spec = outcomes[0]?.experiment.spec;
  const hash = createHash("sha256");
  for (const { experiment } of outcomes) hash.update(experiment.specHash);
  const names = [basename(spec?.dataset?.name ?? ""), basename(spec?.model?.name ?? "")];
  return [...names, hash.digest("hex").slice(0, 8)].join("-").replaceAll(/[^\w.-]+/g, "_");
}
