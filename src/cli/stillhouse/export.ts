import { resolve } from "node:path";
import { invalid } from "../../errors.js";
import { emptyFolder, exportToFolder } from "../run/export-folder.js";
import type { Options } from "../terminal/command-line.js";
import type { Shape } from "./command.js";
import { foundExperiment, printJson, type Session } from "./session.js";

export const EXPORT: Shape = {
  name: "export",
  argument: "<id>",
  description:
    "Writes an experiment to a folder: experiment.json, spec.json, result.json, events.jsonl, " +
    "metrics.json or metrics.csv, and the files of its artifact.",
  flags: [
    ["--out <folder>", "Target folder (default: stillhouse-ID); must be empty or not exist"],
    ["--metrics <which>", "json or csv (default: json)"],
  ],
};

/** The subcommand `export`. */
export async function exportExperiment(
  session: Session,
  prefix: string,
  options: Options,
): Promise<number> {
  const format = options.metrics ?? "json";
  if (format !== "json" && format !== "csv") {
    throw invalid("", `--metrics must be json or csv, got ${JSON.stringify(format)}`);
  }
  const found = await foundExperiment(session, prefix);
  const { id } = found.experiment;
  const out = typeof options.out === "string" ? options.out : `stillhouse-${id}`;
  const folder = emptyFolder(resolve(session.userFolder, out), "--out");
  const files = await exportToFolder(session.connection, found, folder, format);
  if (session.isJson) printJson(session, { id, folder, files });
  else session.terminal.stdout.write(`${folder}\n${files.map((file) => `  ${file}\n`).join("")}`);
  return 0;
}
