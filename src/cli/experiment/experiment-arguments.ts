import { statSync } from "node:fs";
import { homedir } from "node:os";
import { basename, resolve } from "node:path";
import { invalid } from "../../errors.js";
import type { ExperimentSpec } from "../../generated/stillhouse/v1/spec.js";
import { parseConfigFile } from "../../settings/config-file.js";
import { isDatasetPath } from "../../settings/dataset-path.js";
import { emptySpec, type FieldValue, writeField } from "../../settings/field-path.js";
import { SETTINGS } from "../../settings/settings.js";
import { type Assignments, parseValue } from "../../settings/values.js";
import { type NamedServer, serverOf } from "../connect/server-flags.js";
import { distillationsOf, FIRST_SEED, seedsFrom } from "../group/distillations-flag.js";
import { priorityOf } from "../run/priority-flag.js";
import { attributeOf, type Options, parseArguments } from "../terminal/command-line.js";
import { readNamedFile } from "../terminal/named-file.js";
import { experimentCommand } from "./experiment-command.js";

/** What a person asks for. */
export type ExperimentRequest =
  | { readonly kind: "help"; readonly text: string }
  | NewExperiment
  | {
      readonly kind: "resume";
      readonly experimentId: string;
      readonly isDetached: boolean;
      readonly exportFolder: string | undefined;
      readonly server: NamedServer | undefined;
    };

export interface NewExperiment {
  readonly kind: "new";
  /** The values of flags and file; the preset decides unset fields. */
  readonly draft: ExperimentSpec;
  /** One experiment is run with each of them; the first one is the draft's own. */
  readonly seeds: readonly number[];
  readonly isDryRun: boolean;
  /** Whether no result of an earlier experiment is reused. */
  readonly isFresh: boolean;
  /** Whether the command only stores it and leaves the run to the control plane. */
  readonly isDetached: boolean;
  /** Where the experiment is written at the end, an absolute path. */
  readonly exportFolder: string | undefined;
  /** Whether what is recognised of a folder of rows is kept in its dataset.json. */
  readonly writesDescription: boolean;
  readonly priority: number;
  readonly server: NamedServer | undefined;
}

export interface ArgumentSurroundings {
  /** Folder that relative paths start from. */
  readonly userFolder: string;
  /** Data folder where neither a flag nor the file names one. */
  readonly dataDir: string | undefined;
  /** Bearer token for a server where no flag names one. */
  readonly token?: string | undefined;
  /** Width of the help. */
  readonly columns: number | undefined;
}

const EPOCHS = "outer.epochs";
const STEPS = "outer.steps";

/**
 * Reads the arguments of `experiment`, and the config file that they name.
 *
 * @throws StillhouseError INVALID for every mistake in them.
 */
export function parseExperimentArguments(
  argv: readonly string[],
  surroundings: ArgumentSurroundings,
): ExperimentRequest {
  const parsed = parseArguments(experimentCommand(surroundings.columns), argv);
  if (parsed.kind === "help") return parsed;
  const { options } = parsed;
  const server = serverOf(options, surroundings);
  const flags = flagAssignments(options, surroundings.userFolder);
  const exportFolder = exportFolderOf(options, surroundings.userFolder);
  const experimentId = textOption(options, "resume");
  if (experimentId !== undefined) {
    refuseBesideResume(options, flags);
    const isDetached = options.detach === true;
    return { kind: "resume", experimentId, isDetached, exportFolder, server };
  }
  const draft = draftOf(givenAssignments(options, surroundings), surroundings.dataDir);
  return {
    kind: "new",
    draft,
    seeds: seedsOf(options, draft),
    isDryRun: options.dryRun === true,
    isFresh: options.fresh === true,
    isDetached: options.detach === true,
    exportFolder,
    writesDescription: writesDescription(options, server),
    priority: priorityOf(options),
    server,
  };
}

/** Of one experiment that this command sees to its end. */
function exportFolderOf(options: Options, userFolder: string): string | undefined {
  const folder = textOption(options, "export");
  if (folder === undefined) return undefined;
  const beside = ["detach", "distillations", "dryRun"].find((name) => options[name] !== undefined);
  if (beside === undefined) return resolve(userFolder, folder);
  throw invalid(
    "",
    "--export writes one experiment at its end; leave out --detach, --distillations and " +
      "--dry-run, or use npm run stillhouse -- export ID afterwards",
  );
}

/** Those of the distillations. */
function seedsOf(options: Options, { seed }: ExperimentSpec): number[] {
  const count = distillationsOf(options.distillations) ?? 1;
  if (count > 1 && options.writeDatasetJson === true) {
    throw invalid("", "--write-dataset-json goes with one distillation; leave out --distillations");
  }
  return seedsFrom(seed ?? FIRST_SEED, count);
}

function writesDescription(options: Options, server: NamedServer | undefined): boolean {
  if (options.writeDatasetJson !== true) return false;
  if (server === undefined) return true;
  throw invalid("", "--write-dataset-json writes on this machine, and --server names another one");
}

/** What flags and config file say. */
export function givenAssignments(
  options: Options,
  { userFolder }: Pick<ArgumentSurroundings, "userFolder">,
): Assignments {
  const file = fileAssignments(textOption(options, "config"), userFolder);
  return mergedLayers(flagAssignments(options, userFolder), file);
}

function textOption(options: Options, name: string): string | undefined {
  const value = options[name];
  return typeof value === "string" ? value : undefined;
}

function flagAssignments(options: Options, userFolder: string): Assignments {
  const assignments = new Map<string, FieldValue>();
  for (const setting of SETTINGS) {
    const raw = options[attributeOf(setting.flag)];
    if (raw === undefined) continue;
    for (const [path, value] of parseValue(setting, raw, `--${setting.flag}`)) {
      assignments.set(path, value);
    }
  }
  refuseEpochsBesideSteps(assignments, "--epochs", "--outer-steps");
  return anchored(assignments, userFolder);
}

/** Relative paths in a file start from the file's folder, so that it can be run from anywhere. */
function fileAssignments(path: string | undefined, userFolder: string): Assignments {
  if (path === undefined) return new Map();
  const absolute = resolve(userFolder, path);
  const name = basename(absolute);
  const assignments = parseConfigFile(readNamedFile("--config", absolute, path), name);
  refuseEpochsBesideSteps(assignments, `epochs in ${name}`, `outer-steps in ${name}`);
  return anchored(assignments, resolve(absolute, ".."));
}

function refuseEpochsBesideSteps(given: Assignments, epochs: string, steps: string): void {
  if (!given.has(EPOCHS) || !given.has(STEPS)) return;
  throw invalid(
    STEPS,
    `${epochs} (${EPOCHS}) and ${steps} (${STEPS}) exclude each other; give one of them`,
  );
}

/** The length of the run is one choice: a flag for it also replaces the other one of the file. */
function mergedLayers(flags: Assignments, file: Assignments): Assignments {
  const merged = new Map(file);
  if (flags.has(EPOCHS) || flags.has(STEPS)) {
    merged.delete(EPOCHS);
    merged.delete(STEPS);
  }
  for (const [path, value] of flags) merged.set(path, value);
  return merged;
}

/** A draft with these values; all others are left to the preset. */
export function draftOf(assignments: Assignments, dataDir: string | undefined): ExperimentSpec {
  const draft = emptySpec();
  if (dataDir !== undefined) writeField(draft, "dataset.data_dir", dataDir);
  for (const [path, value] of assignments) {
    // The device is left open: the machine decides.
    if (path !== "compute.device" || value !== "auto") writeField(draft, path, value);
  }
  return draft;
}

/** Makes paths absolute, since the control plane and its workers may run in another folder. */
function anchored(assignments: Assignments, folder: string): Assignments {
  const result = new Map(assignments);
  const dataDir = result.get("dataset.data_dir");
  if (typeof dataDir === "string") result.set("dataset.data_dir", absolutePath(dataDir, folder));
  for (const path of ["dataset.name", "objective.source_name"]) {
    const name = result.get(path);
    if (typeof name === "string") result.set(path, datasetName(name, folder));
  }
  const model = result.get("model.name");
  if (typeof model === "string") result.set("model.name", modelName(model, folder));
  const embeddings = result.get("model.embeddings");
  if (typeof embeddings === "string") {
    result.set("model.embeddings", datasetName(embeddings, folder));
  }
  return result;
}

/** A data set, or word vectors, as the control plane finds them: a name, or the absolute path of a folder or a file. */
function datasetName(name: string, folder: string): string {
  if (isDatasetPath(name)) return absolutePath(name, folder);
  // A name with a slash may be a path or a name on the hub: it is a path where such a file or
  // folder exists.
  const found = statSync(resolve(folder, name), { throwIfNoEntry: false });
  const isPath = (name.includes("/") && found !== undefined) || found?.isFile() === true;
  return isPath ? absolutePath(name, folder) : name;
}

/** A model as the control plane finds it: a name, or the absolute path of a folder. */
export function modelName(name: string, folder: string): string {
  return isModelPath(name, folder) ? absolutePath(name, folder) : name;
}

/** A name on the hub may also have a slash; a folder of that name goes first, as on the hub. */
function isModelPath(model: string, folder: string): boolean {
  if (/^(\.{1,2}|~)?\//.test(model) || model === "." || model === "..") return true;
  if (!model.includes("/")) return false;
  return statSync(resolve(folder, model), { throwIfNoEntry: false })?.isDirectory() ?? false;
}

function absolutePath(path: string, folder: string): string {
  return resolve(folder, path.replace(/^~(?=\/|$)/, homedir()));
}

function refuseBesideResume(options: Options, flags: Assignments): void {
  const beside = [
    "config",
    "distillations",
    "dryRun",
    "fresh",
    "priority",
    "writeDatasetJson",
  ].find((name) => options[name] !== undefined);
  const [firstPath] = flags.keys();
  if (beside === undefined && firstPath === undefined) return;
  throw invalid(
    firstPath ?? "",
    "--resume uses the settings of the experiment; leave out all others",
  );
}
