import { type Command, Option } from "commander";
import { SETTINGS_BY_GROUP } from "../../settings/settings.js";
import { SEND_FLAGS, SERVER_FLAGS } from "../connect/server-flags.js";
import { PRIORITY_FLAG } from "../run/priority-flag.js";
import { scriptCommand } from "../terminal/command-line.js";
import { flagUsage, settingHelp } from "../terminal/setting-help.js";

const CONTROLS = "Run:";

const EXAMPLES = `
Examples:
  npm run experiment -- --sl unrestricted --al cls
  npm run experiment -- --dataset sst2 --data-dir data --model minilm
  npm run experiment -- --config run.yaml --seed 7 --json > result.json
  npm run experiment -- --sl restricted --dry-run
  npm run experiment -- --sl unrestricted --al cls --distillations 3
  npm run experiment -- --sl unrestricted --al cls --export result
  npm run experiment -- --resume ID

A config file is YAML or JSON with the flags as keys ("inner-lr: 0.1").
A flag counts before the file, and the file before the preset.
Exit codes: 0 done, 1 failed, 2 wrong usage, 3 no server, 130 interrupted.
`;

/**
 * The flags of `experiment`, all as texts; the settings come from the table of settings.
 *
 * @param columns width of the help; undefined where stdout is no terminal.
 */
export function experimentCommand(columns: number | undefined): Command {
  const command = scriptCommand("experiment", columns, CONTROLS)
    .description(
      "Distils a text classification data set into a few synthetic samples, and measures how " +
        "well a learner does that is trained on nothing else.",
    )
    .addHelpText("after", EXAMPLES);
  addSettings(command);
  addControls(command);
  return command;
}

/** The flags of all settings but those of these paths. */
export function addSettings(command: Command, except: readonly string[] = []): void {
  for (const [group, settings] of Object.entries(SETTINGS_BY_GROUP)) {
    for (const setting of settings) {
      if (except.includes(setting.path)) continue;
      const option = new Option(flagUsage(setting), settingHelp(setting));
      if (setting.kind === "text" && setting.repeats) option.argParser(joined);
      command.addOption(option.helpGroup(`${group}:`));
      if (setting.kind === "switch") {
        // A config file may switch it on; then there must be a flag that switches it off.
        command.addOption(new Option(`--no-${setting.flag}`).hideHelp());
      }
    }
  }
}

function joined(value: string, before: unknown): string {
  return typeof before === "string" ? `${before},${value}` : value;
}

function addControls(command: Command): void {
  const controls: (readonly [string, string])[] = [
    ["--config <file>", "Read settings from a YAML or JSON file"],
    ["--distillations <n>", "Distil n times, with seeds from --seed on, and compare (default: 1)"],
    ["--dry-run", "Show the resolved experiment and its tasks, and stop"],
    ["--write-dataset-json", "Save what was recognised about a local folder in its dataset.json"],
    ["--resume <id>", "Continue an experiment that was stopped or failed"],
    ["--fresh", "Compute everything again, also results of earlier experiments"],
    ["--detach", "Return the id at once; the server runs the experiment"],
    [
      "--export <folder>",
      "Write the experiment with its artifact to a folder at the end, for npm run verify",
    ],
    PRIORITY_FLAG,
    ...SERVER_FLAGS,
    ...SEND_FLAGS,
    ["--json", "Print one JSON document on stdout, progress as plain lines on stderr"],
  ];
  for (const [flags, help] of controls) {
    command.addOption(new Option(flags, help).helpGroup(CONTROLS));
  }
}
