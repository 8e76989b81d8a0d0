import { markdownCell } from "../text/table-text.js";
import type { Numbers } from "./number-table.js";
import type { ReportedTable, Reproduction, Rerun } from "./reproduction.js";

/** The reproduction in Markdown: the tables, and what is needed to run it again. */
export function reproductionMarkdown(reproduction: Reproduction): string {
  const { title, subject, settings, tables, legend, time, rerun } = reproduction;
  return [
    `# ${title}`,
    `${subject}. ${settings}`,
    ...tables.flatMap(tableParts),
    legend,
    time,
    ...rerunParts(rerun),
    "",
  ].join("\n\n");
}

function tableParts(table: ReportedTable): string[] {
  const { title, numbers, failures, published, differences, time } = table;
  return [
    `## ${title}`,
    markdownTable(numbers),
    ...failures,
    ...published,
    time,
    ...(differences === undefined
      ? []
      : [
          "Each row minus those above it: mean difference in points over learners with the same " +
            "seeds, with its 95 % interval and, of several distillations, the ± between them.",
          markdownTable(differences),
        ]),
  ];
}

function rerunParts({ command, codeVersion, environments, experiments }: Rerun): string[] {
  return [
    "## To run it again",
    `    ${command}`,
    ...(codeVersion === undefined
      ? []
      : [`Code version (worker and packages): \`${codeVersion}\``]),
    ...environments.map((environment) =>
      Object.entries(environment)
        .map(([name, value]) => `- ${name}: ${value}`)
        .join("\n"),
    ),
    "What was computed, each with the hash of its resolved settings and the command that runs it alone:",
    ...experiments.map(({ label, command: own, specHash, files }) =>
      [
        `### ${label}\n`,
        `    ${own}\n`,
        `- resolved settings, SHA-256: \`${specHash}\``,
        ...[...files].map(([name, sha256]) => `- ${name}, SHA-256: \`${sha256}\``),
      ].join("\n"),
    ),
  ];
}

function markdownTable({ head, rows }: Numbers): string {
  const line = (cells: readonly string[]) =>
    `| ${cells.map((cell) => markdownCell(cell)).join(" | ")} |`;
  const rule = head.map((_, at) => (at === 0 ? "---" : "---:"));
  return [line(head), line(rule), ...rows.map(line)].join("\n");
}
