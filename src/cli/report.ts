import { ExperimentSpec } from "../generated/stillhouse/v1/spec.js";
import type { Outcome } from "./group-runner.js";
import { npmCommand } from "./npm-command.js";
import { COLUMNS, cellsOf, LEGEND } from "./reproduce-output.js";
import type { ReproducedTable } from "./study-table.js";
import { subjectOf } from "./subject.js";

/**
 * The report of a reproduction: the tables, and what is needed to run it again.
 *
 * It holds no time and no path, so that the same results give the same bytes.
 *
 * @param argv the arguments of the command.
 */
export function reportMarkdown(
  tables: readonly ReproducedTable[],
  outcomes: readonly Outcome[],
  argv: readonly string[],
): string {
  const [first] = outcomes;
  const spec = first?.experiment.spec;
  return [
    "# Reproduction of the 2022 study",
    `${subjectOf(spec)}.`,
    ...tables.flatMap(({ title, rows }) => [
      `## ${title}`,
      markdownTable(rows.map((row) => cellsOf(row))),
    ]),
    LEGEND,
    "## To run it again",
    `    ${npmCommand("reproduce", argv)}`,
    "What was computed, by the hash of its resolved settings:",
    outcomes
      .map(({ experiment }) => `- \`${experiment.specHash}\`, seed ${experiment.spec?.seed}`)
      .join("\n"),
    "The settings of the first, resolved:",
    `\`\`\`json\n${JSON.stringify(spec === undefined ? {} : ExperimentSpec.toJSON(spec), null, 2)}\n\`\`\``,
    "",
  ].join("\n\n");
}

function markdownTable(rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.join(" | ")} |`;
  const rule = COLUMNS.map((_, at) => (at === 0 ? "---" : "---:"));
  return [line(COLUMNS), line(rule), ...rows.map(line)].join("\n");
}
