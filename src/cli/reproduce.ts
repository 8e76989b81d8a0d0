import { createHash } from "node:crypto";
import { mkdirSync, writeFileSync } from "node:fs";
import { basename, join, resolve } from "node:path";
import { FailureKind, fromFailure, StillhouseError, SURFACES, toFailure } from "../errors.js";
import type { ExperimentSpec } from "../generated/stillhouse/v1/spec.js";
import type { FieldValue } from "../spec/field-path.js";
import { STUDY_TABLES, type StudyRow } from "../study/tables.js";
import { draftOf } from "./experiment-arguments.js";
import { ExperimentOutput } from "./experiment-output.js";
import { type Member, type Outcome, resolveGroup, runGroup } from "./group-run.js";
import { aborted, type Interruption } from "./interruption.js";
import { type OpenHome, openConnection } from "./open-connection.js";
import { reportMarkdown } from "./report.js";
import { parseReproduceArguments, type ReproduceRequest } from "./reproduce-arguments.js";
import { reproduceDocument, reproduceText } from "./reproduce-output.js";
import { distilledLabel } from "./result.js";
import { reproducedTables } from "./study-table.js";
import type { Terminal } from "./terminal.js";

export interface ReproduceSurroundings {
  readonly terminal: Terminal;
  readonly interruption: Interruption;
  readonly openHome: OpenHome;
  readonly userFolder: string;
  readonly dataDir: string | undefined;
  /** Where reports go unless a folder is named. */
  readonly reportsFolder: string;
  readonly showsTraces: boolean;
}

type Asked = Extract<ReproduceRequest, { kind: "run" }>;

/**
 * The command `reproduce`: the tables of the study, as one group of experiments.
 *
 * @param argv what follows the command's name.
 * @returns the exit code.
 */
export async function runReproduce(
  argv: readonly string[],
  surroundings: ReproduceSurroundings,
): Promise<number> {
  const output = new ExperimentOutput(surroundings.terminal, argv.includes("--json"));
  try {
    const { columns } = surroundings.terminal;
    const request = parseReproduceArguments(argv, { ...surroundings, columns });
    if (request.kind === "help") output.help(request.text);
    else await reproduce(request, argv, surroundings, output);
    return 0;
  } catch (thrown) {
    const error = fromFailure(toFailure(thrown));
    output.progress.close();
    output.failure(error, undefined, surroundings.showsTraces);
    return SURFACES[error.kind].exitCode;
  }
}

async function reproduce(
  request: Asked,
  argv: readonly string[],
  surroundings: ReproduceSurroundings,
  output: ExperimentOutput,
): Promise<void> {
  const { openHome, interruption, terminal } = surroundings;
  const { progress } = output;
  const note = (sentence: string) => progress.note(sentence);
  const connection = await openConnection(request.server, openHome, [], note);
  const killed = aborted(interruption.kill).then(() => {
    connection.kill();
    throw interrupted();
  });
  const stopped = aborted(interruption.stop).then(() => {
    throw interrupted();
  });
  stopped.catch(() => undefined);
  try {
    const cells = cellsOf(request, surroundings.dataDir);
    const options = { connection, progress, stop: interruption.stop, isFresh: request.isFresh };
    const resolutions = await Promise.race([killed, stopped, resolveGroup(cells, options)]);
    const [first] = resolutions;
    if (first !== undefined && !output.isJson) output.subject(first);
    if (request.isDryRun) {
      const lines = cells.map(
        ({ label }, at) => `${label} (${resolutions[at]?.tasks.length} tasks)`,
      );
      terminal.stdout.write(output.isJson ? `${JSON.stringify(lines)}\n` : `${lines.join("\n")}\n`);
      return;
    }
    const outcomes = await Promise.race([killed, runGroup(cells, resolutions, options)]);
    progress.close();
    const outcomesOf = (row: StudyRow) =>
      cells.flatMap((cell, at) => (cell.key === keyOf(row) ? [outcomes[at] as Outcome] : []));
    const tables = reproducedTables(request.tables, outcomesOf);
    const folder = resolve(
      surroundings.userFolder,
      request.reportFolder ?? join(surroundings.reportsFolder, reportName(outcomes)),
    );
    mkdirSync(folder, { recursive: true });
    const path = join(folder, "report.md");
    writeFileSync(path, reportMarkdown(tables, outcomes, argv));
    if (output.isJson) output.document(reproduceDocument(tables, path));
    else terminal.stdout.write(reproduceText(tables, path));
  } finally {
    progress.close();
    await connection.close();
  }
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

function interrupted(): StillhouseError {
  return new StillhouseError(
    FailureKind.FAILURE_KIND_CANCELLED,
    "interrupted; the same command goes on where it was",
  );
}
