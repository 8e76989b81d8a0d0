import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import { Option } from "commander";
import { cancelled, internal, invalid, notFound } from "../../errors.js";
import { type Inspected, inspectedSchema } from "../../report/inspected.js";
import type { Numbers } from "../../report/number-table.js";
import { formatMeanStd } from "../../text/format.js";
import { openToLook } from "../connect/open-connection.js";
import { type NamedServer, SERVER_FLAGS, serverOf, serverWords } from "../connect/server-flags.js";
import { guarded } from "../group/group-command.js";
import { summaryDocument } from "../results/result-document.js";
import { type Condition, robustnessResult } from "../results/robustness-result.js";
import type { ExperimentOutput } from "../run/experiment-output.js";
import {
  type Options,
  type ParsedArguments,
  parseArguments,
  scriptCommand,
} from "../terminal/command-line.js";
import { aborted } from "../terminal/interruption.js";
import { npmCommand } from "../terminal/npm-command.js";
import { writeResultFile } from "../terminal/result-file.js";
import type { Terminal } from "../terminal/terminal.js";
import { withArtifactFolder } from "./artifact-copy.js";
import { renderInspected } from "./inspect-view.js";
import { measuredRobustness, type RobustnessSurroundings } from "./robustness.js";
import { parseRobustnessArguments } from "./robustness-arguments.js";

export interface InspectSurroundings extends RobustnessSurroundings {
  /** The answer of `inspection.artifact`. */
  readonly inspectArtifact: (path: string, top: number) => Promise<unknown>;
}

const DEFAULT_TOP = 5;
const MAX_TOP = 50;

const HELP = `
ARTIFACT is the folder of distilled data, or the id of an experiment.

Distilled images are written by --png. Each distilled vector is compared with every token of the vocabulary, embedded at its position as it
enters the first block. Data that reads well this way does not always train well: --accuracy trains learners on
the nearest tokens, and measures them beside those of the vectors.

Examples:
  npm run inspect -- 12cbf1a8b8
  npm run inspect -- .stillhouse/artifacts/12cbf1a8b8 --json --top 10
  npm run inspect -- 12cbf1a8b8 --accuracy --inits 5 --html distilled.html
  npm run inspect -- 12cbf1a8b8 --png images.png
  npm run inspect -- 12cbf1a8b8 --server plane.example.org:8421
`;

/**
 * The command `inspect`: shows the content of distilled data.
 *
 * @param argv what follows the command's name.
 * @returns the exit code.
 */
export function runInspect(
  argv: readonly string[],
  surroundings: InspectSurroundings,
): Promise<number> {
  return guarded(argv, surroundings, async (output) => {
    const { terminal, interruption, userFolder } = surroundings;
    const parsed = parseInspectArguments(argv, terminal);
    if (parsed.kind === "help") {
      output.help(parsed.text);
      return undefined;
    }
    const { options } = parsed;
    const [word] = parsed.words;
    if (word === undefined) throw invalid("artifact", "which artifact? Give a folder or an id");
    const top = topOf(options.top);
    const server = serverOf(options, surroundings);
    const learners = await measuredLearners(word, options, surroundings, output);
    const stopped = aborted(interruption.stop).then(() => {
      throw cancelled("interrupted");
    });
    const answer = withArtifact(word, server, surroundings, (folder) =>
      Promise.race([stopped, surroundings.inspectArtifact(folder, top)]),
    );
    const inspected = inspectedSchema.parse(await answer);
    const accuracies = learners && numbersOf(learners);
    const { html, png } = options;
    if (typeof png === "string") {
      writeSheet(inspected, resolve(userFolder, png));
      if (!output.isJson) terminal.stdout.write(`Images: ${resolve(userFolder, png)}\n`);
    }
    if (typeof html === "string") {
      await writePage(inspected, accuracies, argv, resolve(userFolder, html));
      if (!output.isJson) terminal.stdout.write(`Page: ${resolve(userFolder, html)}\n`);
    } else if (!output.isJson) {
      terminal.stdout.write(renderInspected(inspected, accuracies, terminal.columns));
    }
    if (output.isJson) output.document({ ...inspected, ...accuracyDocument(learners) });
    return undefined;
  });
}

/** Learners on the distilled vectors and on the text nearest to them, if --accuracy asks for it. */
async function measuredLearners(
  word: string,
  options: Options,
  surroundings: InspectSurroundings,
  output: ExperimentOutput,
): Promise<readonly Condition[] | undefined> {
  const { accuracy, inits } = options;
  if (accuracy !== true) {
    if (inits !== undefined) throw invalid("", "--inits is for --accuracy; add it");
    return undefined;
  }
  const words = [word, "--checks", "decoding", "--baselines", "none", ...serverWords(options)];
  const request = parseRobustnessArguments(
    inits === undefined ? words : [...words, "--inits", String(inits)],
    { ...surroundings, columns: undefined },
  );
  if (request.kind === "help") throw internal("inspect --accuracy asked robustness for its help");
  const experiment = await measuredRobustness(request, surroundings, output);
  return experiment && robustnessResult(experiment).conditions;
}

function numbersOf(learners: readonly Condition[]): Numbers {
  return {
    head: ["learners trained on it", "accuracy (%)", "n"],
    rows: learners.map(({ label, row }) =>
      row === undefined
        ? [label, "failed", ""]
        : [label, formatMeanStd(row.accuracy.mean, row.accuracy.std), String(row.accuracy.n)],
    ),
  };
}

function accuracyDocument(learners: readonly Condition[] | undefined): object {
  if (learners === undefined) return {};
  return {
    accuracy: learners.map(({ id, label, row }) => ({
      id,
      label,
      ...(row === undefined ? { mean: null } : summaryDocument(row.accuracy)),
    })),
  };
}

/** Writes the distilled images on one sheet. */
function writeSheet({ sheet, dataset }: Inspected, path: string): void {
  if (sheet === undefined) throw invalid("", `--png is for images, and ${dataset} holds texts`);
  writeResultFile(path, Buffer.from(sheet.slice(sheet.indexOf(",") + 1), "base64"));
}

async function writePage(
  inspected: Inspected,
  accuracies: Numbers | undefined,
  argv: readonly string[],
  path: string,
): Promise<void> {
  // Drawing takes a library that the other ways to show it do without.
  const { artifactPage } = await import("../../report/artifact-page.js");
  writeResultFile(path, artifactPage(inspected, accuracies, npmCommand("inspect", argv)));
}

/** A folder, an artifact of the home, or what an experiment has, be it from an earlier one. */
async function withArtifact<T>(
  word: string,
  server: NamedServer | undefined,
  { home, userFolder, openIdleHome }: InspectSurroundings,
  work: (folder: string) => Promise<T>,
): Promise<T> {
  if (server === undefined) {
    const folder = resolve(userFolder, word);
    const isId = /^[\w-]+$/.test(word);
    if (!isId || existsSync(folder)) return work(folder);
    const ofHome = join(home, "artifacts", word);
    if (existsSync(ofHome)) return work(ofHome);
  }
  const connection = await openToLook(server, openIdleHome);
  try {
    const { experiment, artifactPath } = await connection.call((client) => client.get(word));
    if (experiment && artifactPath !== "") {
      return await withArtifactFolder({ experiment, artifactPath }, connection, work);
    }
  } finally {
    await connection.close();
  }
  throw notFound(`experiment ${word} has no distilled data`);
}

function topOf(raw: unknown): number {
  if (raw === undefined) return DEFAULT_TOP;
  const top = typeof raw === "string" && /^\d{1,3}$/.test(raw) ? Number(raw) : 0;
  if (top >= 1 && top <= MAX_TOP) return top;
  throw invalid("top", `--top must be a whole number from 1 to ${MAX_TOP}, got ${raw}`);
}

/** @throws StillhouseError INVALID for every mistake in the arguments */
export function parseInspectArguments(
  argv: readonly string[],
  { columns }: Pick<Terminal, "columns">,
): ParsedArguments {
  return parseArguments(inspectCommand(columns), argv);
}

function inspectCommand(columns: number | undefined) {
  const group = "Options:";
  const command = scriptCommand("inspect", columns, group)
    .usage("ARTIFACT [flags]")
    .argument("[artifact]", "folder or id")
    .description("Shows the content of distilled data: nearest tokens, labels, attention, rates.")
    .addHelpText("after", HELP);
  for (const [flags, help] of [
    ["--top <n>", "Nearest tokens per position (default: 5)"],
    ["--accuracy", "Also measure learners that are trained on it, and on the nearest tokens"],
    ["--inits <n>", "With --accuracy: how many learners (default: as baselines of its experiment)"],
    ["--html <file>", "Write a page with charts to this file"],
    ["--png <file>", "Write all distilled images with their labels to this file"],
    ["--json", "Print one JSON document on stdout"],
    ...SERVER_FLAGS,
  ] as const) {
    command.addOption(new Option(flags, help).helpGroup(group));
  }
  return command;
}
