import { type Command, Option } from "commander";
import { invalid } from "../../errors.js";
import {
  SEND_FLAGS,
  SERVER_FLAGS,
  type ServerSurroundings,
  serverOf,
} from "../connect/server-flags.js";
import { PRIORITY_FLAG, priorityOf } from "../run/priority-flag.js";
import type { Options } from "../terminal/command-line.js";
import type { GroupFlags } from "./group-command.js";

type Control = readonly [flags: string, help: string];

/** Of commands whose members a config file may describe. */
export const MEMBER_CONTROLS: readonly Control[] = [
  ["--config <file>", "Read settings from a YAML or JSON file"],
  ["--dry-run", "List the experiments, and stop"],
];

const SHARED: readonly Control[] = [
  ["--fresh", "Compute everything again, also results that exist"],
  ["--detach", "Return as soon as everything is stored; the server runs it"],
  PRIORITY_FLAG,
  ...SERVER_FLAGS,
  ...SEND_FLAGS,
  ["--json", "Print one JSON document on stdout, progress as plain lines on stderr"],
];

/**
 * Adds the flags for how a group is run.
 *
 * @param own flags of this command, besides those that every command of a group has.
 */
export function addGroupControls(command: Command, group: string, own: readonly Control[]): void {
  for (const [flags, help] of [...own, ...SHARED]) {
    command.addOption(new Option(flags, help).helpGroup(group));
  }
}

/** @throws StillhouseError INVALID for a mistake in them. */
export function groupFlagsOf(options: Options, surroundings: ServerSurroundings): GroupFlags {
  return {
    isDetached: options.detach === true,
    isDryRun: options.dryRun === true,
    isFresh: options.fresh === true,
    server: serverOf(options, surroundings),
    priority: priorityOf(options),
    maxParallel: maxParallelOf(options.maxParallel),
  };
}

function maxParallelOf(raw: unknown): number | undefined {
  if (raw === undefined) return undefined;
  if (typeof raw === "string" && /^[1-9]\d{0,4}$/.test(raw)) return Number(raw);
  throw invalid("", `--max-parallel must be a whole number ≥ 1, got ${JSON.stringify(raw)}`);
}
