import { Command, type CommanderError, Option } from "commander";
import { SETTINGS_BY_GROUP } from "../spec/settings.js";
import { flagUsage, settingHelp } from "./setting-help.js";

const EXAMPLE = "npm run experiment -- --sl unrestricted --al cls";

const EXAMPLES = `
Examples:
  ${EXAMPLE}
  npm run experiment -- --dataset sst2 --data-dir data --model minilm --preset cpu
  npm run experiment -- --config run.yaml --seed 7 --json > result.json
  npm run experiment -- --sl restricted --dry-run
  npm run experiment -- --resume ID

A config file is YAML or JSON with the flags as keys ("inner-lr: 0.1").
A flag counts before the file, and the file before the preset.
Exit codes: 0 done, 1 failed, 2 wrong usage, 3 no server, 130 interrupted.
`;

/** Narrower than this the columns of the help no longer read well. */
const MIN_HELP_COLUMNS = 60;
const DEFAULT_HELP_COLUMNS = 80;

/**
 * The flags of `experiment`, all as texts; the settings come from the table of settings.
 *
 * It neither writes nor exits: errors and the help are thrown as CommanderError.
 *
 * @param columns width of the help; undefined where stdout is no terminal.
 */
export function experimentCommand(columns: number | undefined): Command {
  const helpWidth = Math.max(columns ?? DEFAULT_HELP_COLUMNS, MIN_HELP_COLUMNS);
  const command = new Command("experiment")
    .usage("-- [flags]")
    .description(
      "Distils a text classification data set into a few synthetic samples, and measures how " +
        "well a learner does that is trained on nothing else.",
    )
    .exitOverride()
    .configureOutput({
      writeOut: () => undefined,
      writeErr: () => undefined,
      getOutHelpWidth: () => helpWidth,
      getErrHelpWidth: () => helpWidth,
      getOutHasColors: () => false,
      getErrHasColors: () => false,
    })
    .configureHelp({ commandUsage: () => "npm run experiment -- [flags]" })
    .allowExcessArguments(false)
    .addHelpOption(new Option("-h, --help", "Show this text").helpGroup("Run:"))
    .addHelpText("after", EXAMPLES);
  addSettings(command);
  addControls(command);
  return command;
}

/** The help as text. */
export function helpText(columns: number | undefined): string {
  const command = experimentCommand(columns);
  let text = "";
  command.configureOutput({
    writeOut: (part) => {
      text += part;
    },
  });
  command.outputHelp();
  return text;
}

/** Commander's complaint as one sentence. */
export function usageSentence(error: CommanderError, command: Command): string {
  if (error.code === "commander.excessArguments") {
    const word = JSON.stringify(command.args[0] ?? "");
    return `unexpected argument ${word}; npm needs a -- before the flags: ${EXAMPLE}`;
  }
  return error.message
    .replace(/^error: /, "")
    .replace(/\n\(Did you mean (one of )?(.+)\?\)$/, "; did you mean $2?");
}

function addSettings(command: Command): void {
  for (const [group, settings] of Object.entries(SETTINGS_BY_GROUP)) {
    for (const setting of settings) {
      command.addOption(
        new Option(flagUsage(setting), settingHelp(setting)).helpGroup(`${group}:`),
      );
      if (setting.kind === "switch") {
        // A config file may switch it on; then there must be a flag that switches it off.
        command.addOption(new Option(`--no-${setting.flag}`).hideHelp());
      }
    }
  }
}

function addControls(command: Command): void {
  const controls: [string, string][] = [
    ["--config <file>", "Read settings from a YAML or JSON file"],
    ["--dry-run", "Show the resolved experiment and its tasks, and stop"],
    ["--resume <id>", "Go on with an experiment that was stopped or failed"],
    ["--server <host:port>", "Use the control plane at this address instead of one of its own"],
    ["--json", "Print one JSON document on stdout, progress as plain lines on stderr"],
  ];
  for (const [flags, help] of controls) {
    command.addOption(new Option(flags, help).helpGroup("Run:"));
  }
}
