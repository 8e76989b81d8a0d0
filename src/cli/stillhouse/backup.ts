import { resolve } from "node:path";
import { invalid } from "../../errors.js";
import { formatBytes, formatCount } from "../../text/format.js";
import type { Interruption } from "../terminal/interruption.js";
import type { Terminal } from "../terminal/terminal.js";
import type { Parsed, Shape } from "./command.js";

export const BACKUP: Shape = {
  name: "backup",
  argument: "<file>",
  description:
    "Writes the home of this machine to a tar file. It holds experiments, metrics, artifacts, " +
    "tokens and keys, as they are in one moment, also while a control plane runs; logs and " +
    "checkpoints are not.",
  isOfThisMachine: true,
  flags: [["--force", "Replace the file if it exists"]],
  help: "\nRestore it into a new folder: mkdir -m 700 HOME && tar -xf FILE -C HOME",
};

/** Writes the home to a file; see the store. */
export type BackUpHome = (
  file: string,
  options: { readonly overwrites: boolean; readonly signal: AbortSignal },
) => Promise<{
  readonly file: string;
  readonly bytes: number;
  readonly experiments: number;
  readonly artifacts: number;
}>;

export interface BackupSurroundings {
  readonly terminal: Terminal;
  readonly interruption: Interruption;
  readonly userFolder: string;
  readonly backUpHome: BackUpHome;
}

/** The subcommand `backup`. */
export async function backup(
  { words: [file = ""], options, server, isJson }: Extract<Parsed, { kind: "run" }>,
  { terminal, interruption, userFolder, backUpHome }: BackupSurroundings,
): Promise<number> {
  if (server !== undefined) {
    throw invalid("", "backup writes the home of this machine; run it there, without --server");
  }
  const made = await backUpHome(resolve(userFolder, file), {
    overwrites: options.force === true,
    signal: interruption.stop,
  });
  if (isJson) terminal.stdout.write(`${JSON.stringify(made, null, 2)}\n`);
  else {
    const what = `${counted(made.experiments, "experiment")}, ${counted(made.artifacts, "artifact")}`;
    terminal.stdout.write(`${made.file}: ${what}, ${formatBytes(made.bytes)}\n`);
  }
  return 0;
}

function counted(count: number, noun: string): string {
  return `${formatCount(count)} ${noun}${count === 1 ? "" : "s"}`;
}
