import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import Table from "cli-table3";
import { Option } from "commander";
import { type Inspected, inspectedSchema } from "../report/inspected.js";
import { invalid } from "../spec/invalid.js";
import { parseArguments, scriptCommand } from "./command-line.js";
import { formatPercent, formatValue, wrapText } from "./format.js";
import { npmCommand } from "./npm-command.js";
import { reportFailure } from "./report-failure.js";
import { writeResultFile } from "./result-file.js";
import type { Terminal } from "./terminal.js";

export interface InspectSurroundings {
  readonly terminal: Terminal;
  /** Folder of experiments and artifacts. */
  readonly home: string;
  /** Folder that relative paths start from. */
  readonly userFolder: string;
  /** The answer of `inspection.artifact`. */
  readonly inspectArtifact: (path: string, top: number) => Promise<unknown>;
}

const DEFAULT_TOP = 5;
const MAX_TOP = 50;
const DEFAULT_COLUMNS = 100;
const PLAIN_STYLE = { head: [], border: [] };

const HELP = `
ARTIFACT is the folder of distilled data, or the id of the experiment that made it.

Each distilled vector is compared with every token of the vocabulary, embedded at its position as it
enters the first block. What reads well this way need not teach well: npm run robustness -- ARTIFACT
--checks decoding measures learners that are trained on the nearest tokens instead.

Examples:
  npm run inspect -- 12cbf1a8b8
  npm run inspect -- .stillhouse/artifacts/12cbf1a8b8 --json --top 10
  npm run inspect -- 12cbf1a8b8 --html distilled.html
`;

/**
 * The command `inspect`: what distilled data holds.
 *
 * @param argv what follows the command's name.
 * @returns the exit code.
 */
export async function runInspect(
  argv: readonly string[],
  surroundings: InspectSurroundings,
): Promise<number> {
  const { stdout, columns } = surroundings.terminal;
  const isJson = argv.includes("--json");
  try {
    const parsed = parseArguments(inspectCommand(columns), argv);
    if (parsed.kind === "help") {
      stdout.write(parsed.text);
      return 0;
    }
    const path = artifactPath(parsed.words[0], surroundings);
    const answer = await surroundings.inspectArtifact(path, topOf(parsed.options.top));
    const inspected = inspectedSchema.parse(answer);
    const { html } = parsed.options;
    if (typeof html === "string") {
      await writePage(inspected, argv, resolve(surroundings.userFolder, html));
      if (!isJson) stdout.write(`Page: ${resolve(surroundings.userFolder, html)}\n`);
    } else if (!isJson) stdout.write(renderInspected(inspected, columns));
    if (isJson) stdout.write(`${JSON.stringify(inspected, null, 2)}\n`);
    return 0;
  } catch (thrown) {
    return reportFailure(thrown, surroundings.terminal, { isJson });
  }
}

/** Distilled data as a person reads it. */
export function renderInspected(inspected: Inspected, columns = DEFAULT_COLUMNS): string {
  const { dataset, model, learning_rates: rates, class_names: names, samples } = inspected;
  const steps = rates.map(formatValue).join(", ");
  const parts = samples.map((sample, at) => {
    const { class_name: name, positions, attention } = sample;
    const tokens = positions.map(([nearest]) => nearest?.[0] ?? "").join(" ");
    const cosines = positions.map(([nearest]) => nearest?.[1] ?? 0);
    const mean = cosines.reduce((sum, value) => sum + value, 0) / cosines.length;
    return [
      `Sample ${at + 1}, ${name}`,
      `  ${wrapText(tokens, columns, 2)}`,
      `  mean cosine to the nearest token ${mean.toFixed(3)}`,
      ...(attention === null ? [] : [renderAttention(attention)]),
    ].join("\n");
  });
  return [
    `Data set ${dataset} · model ${model} · learning rate ${steps}`,
    renderLabels(names, samples),
    ...parts,
    "",
  ].join("\n\n");
}

function renderLabels(names: readonly string[], samples: Inspected["samples"]): string {
  const table = new Table({
    head: ["labels of", ...names],
    colAligns: ["left", ...names.map(() => "right" as const)],
    style: PLAIN_STYLE,
  });
  samples.forEach(({ class_name: name, labels }, at) => {
    table.push([`${at + 1} ${name}`, ...labels.map((label) => label.toFixed(3))]);
  });
  return table.toString();
}

/** For each layer and head, where the first token is to look, and with how much. */
function renderAttention(attention: readonly (readonly (readonly number[])[])[]): string {
  const heads = attention[0] ?? [];
  const table = new Table({
    head: ["layer", ...heads.map((_, head) => `head ${head + 1}`)],
    style: PLAIN_STYLE,
  });
  attention.forEach((layer, at) => {
    table.push([`${at + 1}`, ...layer.map(peakText)]);
  });
  return `  attention labels of the first token: position (share in %) of the largest\n${table}`;
}

function peakText(probabilities: readonly number[]): string {
  const largest = Math.max(...probabilities);
  return `${probabilities.indexOf(largest)} (${formatPercent(largest)})`;
}

async function writePage(
  inspected: Inspected,
  argv: readonly string[],
  path: string,
): Promise<void> {
  // Drawing takes a library that the other ways to show it do without.
  const { artifactPage } = await import("../report/artifact-page.js");
  writeResultFile(path, artifactPage(inspected, npmCommand("inspect", argv)));
}

function artifactPath(
  word: string | undefined,
  { home, userFolder }: Pick<InspectSurroundings, "home" | "userFolder">,
): string {
  if (word === undefined) throw invalid("artifact", "which artifact? Give a folder or an id");
  const ofHome = join(home, "artifacts", word);
  return /^\w+$/.test(word) && existsSync(ofHome) ? ofHome : resolve(userFolder, word);
}

function topOf(raw: unknown): number {
  if (raw === undefined) return DEFAULT_TOP;
  const top = typeof raw === "string" && /^\d{1,3}$/.test(raw) ? Number(raw) : 0;
  if (top >= 1 && top <= MAX_TOP) return top;
  throw invalid("top", `--top must be a whole number from 1 to ${MAX_TOP}, got ${raw}`);
}

function inspectCommand(columns: number | undefined) {
  const group = "Options:";
  return scriptCommand("inspect", columns, group)
    .argument("[artifact]", "folder or id")
    .description("Shows what distilled data holds: nearest tokens, labels, attention, rates.")
    .addOption(new Option("--top <n>", "Nearest tokens a position (default: 5)").helpGroup(group))
    .addOption(
      new Option("--html <file>", "Write a page with charts to this file").helpGroup(group),
    )
    .addOption(new Option("--json", "Print one JSON document on stdout").helpGroup(group))
    .addHelpText("after", HELP);
}
