import { invalid } from "../../errors.js";
import type { Preset } from "../../generated/stillhouse/v1/spec.js";
import { BASELINE_PATHS } from "../../settings/baseline-fields.js";
import { PRESETS, presetName } from "../../settings/preset-names.js";
import { settingOf } from "../../settings/settings.js";
import type { Assignments } from "../../settings/values.js";
import { INTERNAL_TABLES } from "../../study/internal-tables.js";
import { TABLES } from "../../study/systems.js";
import { STUDY_TABLES, VARIED_PATHS } from "../../study/tables.js";
import { type ArgumentSurroundings, givenAssignments } from "../experiment/experiment-arguments.js";
import { addSettings } from "../experiment/experiment-command.js";
import { distillationsOf, FIRST_SEED, MAX_SEED, seedsFrom } from "../group/distillations-flag.js";
import { addGroupControls, groupFlagsOf, MEMBER_CONTROLS } from "../group/group-arguments.js";
import type { GroupFlags } from "../group/group-command.js";
import { type Options, parseArguments, scriptCommand } from "../terminal/command-line.js";

/** What a person asks for. */
export interface ReproduceRun extends GroupFlags {
  readonly kind: "run";
  /** Ids of the tables, in the study's order. */
  readonly tables: readonly string[];
  /** Distillation seeds. */
  readonly seeds: readonly number[];
  /** What all experiments share. */
  readonly given: Assignments;
  /** Folder of the report; absent: one in the home. */
  readonly reportFolder: string | undefined;
}

export type ReproduceRequest = { readonly kind: "help"; readonly text: string } | ReproduceRun;

const CONTROLS = "Run:";
const SEED_LIST = /^\d{1,10}(,\d{1,10})*$/;
const IDS = TABLES.map(({ id }) => id);
const STUDY_IDS = STUDY_TABLES.map(({ id }) => id);
const INTERNAL_IDS = INTERNAL_TABLES.map(({ id }) => id);
const SYSTEM_IDS = TABLES.filter(({ published }) => published !== undefined).map(({ id }) => id);

const HELP = `
Tables of the study: ${STUDY_IDS.join(", ")};
all of them when none is named.
In its protocol, of labels of a learner's inside: ${INTERNAL_IDS.join(", ")}.
Other works: ${SYSTEM_IDS.join(", ")}. They have presets of their own, in which every value is
the published one, and others for CPUs (wang-mnist-cpu), which are the default without CUDA.
acl2023 is the study's successor, for AG News and BERT-base, or on CPUs minilm; --dataset and
--model name others, such as roberta-base.

Examples:
  npm run reproduce
  npm run reproduce -- soft-labels attention-labels --distillations 3
  npm run reproduce -- --dataset ag_news --model minilm --preset cpu --data-dir data
  npm run reproduce -- summary --json > summary.json
  npm run reproduce -- wang-mnist soft-mnist
  npm run reproduce -- wang-cifar10 --preset wang-cifar10 --data-dir data
  npm run reproduce -- acl2023 --dataset sst5 --data-dir data --model roberta-base

After an interruption the same command continues where it stopped. What one table needs and another has
computed is computed once. An experiment that fails costs its rows alone.
Exit codes: 0 done, 1 failed, 2 wrong usage, 3 no server, 130 interrupted.
`;

/**
 * Reads the arguments of `reproduce`.
 *
 * @throws StillhouseError INVALID for every mistake in them.
 */
export function parseReproduceArguments(
  argv: readonly string[],
  surroundings: ArgumentSurroundings,
): ReproduceRequest {
  const parsed = parseArguments(reproduceCommand(surroundings.columns), argv);
  if (parsed.kind === "help") return parsed;
  const { options, words } = parsed;
  const unknown = words.find((word) => !IDS.includes(word));
  if (unknown !== undefined) {
    throw invalid("", `a table must be one of ${IDS.join(", ")}, got ${JSON.stringify(unknown)}`);
  }
  const given = givenAssignments(options, surroundings);
  if (given.has("seed"))
    throw invalid(
      "seed",
      "seed is what --distillations and --seeds give; leave it out of the file",
    );
  for (const path of [...VARIED_PATHS, ...BASELINE_PATHS]) {
    if (given.has(path)) {
      throw invalid(path, `${path} is what the tables choose; leave it out of the config file`);
    }
  }
  const tables = words.length === 0 ? STUDY_IDS : IDS.filter((id) => words.includes(id));
  checkAgainstTables(given, tables);
  return {
    kind: "run",
    tables,
    seeds: seedsOf(options),
    given,
    reportFolder: typeof options.report === "string" ? options.report : undefined,
    ...groupFlagsOf(options, surroundings),
    sweepName: ["reproduce", ...words].join(" "),
  };
}

/** A table besides the study's chooses what its rows differ in; of another work, its presets too. */
function checkAgainstTables(given: Assignments, tables: readonly string[]): void {
  for (const { id, rows, published } of TABLES.filter((table) => tables.includes(table.id))) {
    if (STUDY_IDS.includes(id)) continue;
    const chosen = rows.flatMap(({ settings }) => [...settings.keys()]);
    const path = chosen.find((path) => given.has(path));
    if (path !== undefined) {
      throw invalid(
        path,
        `--${settingOf(path).flag} (${path}) is what ${id} chooses; leave it out`,
      );
    }
    if (published === undefined) continue;
    const names = Object.values(published.presets);
    const preset = given.get("preset");
    if (preset !== undefined && !names.some((name) => PRESETS[name] === preset)) {
      const got = presetName(preset as Preset);
      throw invalid(
        "preset",
        `--preset (preset) must be ${names.join(" or ")} for ${id}, got ${got}`,
      );
    }
  }
}

function reproduceCommand(columns: number | undefined) {
  const command = scriptCommand("reproduce", columns, CONTROLS)
    .usage("[TABLE…] [flags]")
    .argument("[tables...]", "which tables")
    .description(
      "Regenerates the tables of the 2022 study, on any data set and model, and those of works " +
        "that it stands on or that follow it, and prints each beside the published figures.",
    )
    .addHelpText("after", HELP);
  addSettings(command, [...VARIED_PATHS, "baseline", "seed", "name"]);
  addGroupControls(command, CONTROLS, [
    ...MEMBER_CONTROLS,
    ["--distillations <n>", "How often each row is distilled, with seeds from 0 on (default: 1)"],
    ["--seeds <list>", "The same with seeds of your choice, such as 0,4,7"],
    ["--report <folder>", "Where report.md and report.html go (default: a folder of the home)"],
    ["--max-parallel <n>", "Most experiments that are started and not yet done (default: all)"],
  ]);
  return command;
}

function seedsOf({ seeds: raw, distillations }: Options): number[] {
  const count = distillationsOf(distillations);
  if (raw === undefined) return seedsFrom(FIRST_SEED, count ?? 1);
  if (count !== undefined) {
    throw invalid(
      "seed",
      "--distillations takes the seeds from 0 on, and --seeds names them; give one of the two",
    );
  }
  const seeds = typeof raw === "string" && SEED_LIST.test(raw) ? raw.split(",").map(Number) : [];
  const isAllowed = seeds.length > 0 && seeds.every((seed) => seed <= MAX_SEED);
  if (isAllowed && new Set(seeds).size === seeds.length) return seeds;
  throw invalid(
    "seed",
    `--seeds must be distinct whole numbers from 0 to ${MAX_SEED}, such as 0,1,2, got ${JSON.stringify(raw)}`,
  );
}
