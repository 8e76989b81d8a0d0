import { Command, CommanderError, Option } from "commander";
import { invalid } from "../../errors.js";

/** Narrower than this the columns of a help no longer read well. */
const MIN_HELP_COLUMNS = 60;
const DEFAULT_HELP_COLUMNS = 80;

export type Options = Readonly<Record<string, unknown>>;

/** The name under which `Options` has the value of a flag. */
export function attributeOf(flag: string): string {
  return flag.replace(/-(.)/g, (_, letter: string) => letter.toUpperCase());
}

export type ParsedArguments =
  | { readonly kind: "options"; readonly options: Options; readonly words: readonly string[] }
  | { readonly kind: "help"; readonly text: string };

/**
 * A command of an npm script that neither writes nor exits by itself.
 *
 * @param columns width of the help; undefined where stdout is no terminal.
 * @param helpGroup heading under which `--help` is listed.
 */
export function scriptCommand(
  name: string,
  columns: number | undefined,
  helpGroup: string,
): Command {
  const width = Math.max(columns ?? DEFAULT_HELP_COLUMNS, MIN_HELP_COLUMNS);
  return new Command(name)
    .usage("[flags]")
    .exitOverride()
    .configureOutput({
      writeOut: () => undefined,
      writeErr: () => undefined,
      getOutHelpWidth: () => width,
      getOutHasColors: () => false,
    })
    .configureHelp({ commandUsage: usageOf })
    .allowExcessArguments(false)
    .addHelpOption(new Option("-h, --help", "Show this text").helpGroup(helpGroup));
}

/**
 * Parses the arguments, or gives the help where they ask for it.
 *
 * @throws StillhouseError INVALID for an unknown flag, a missing value or a stray word.
 */
export function parseArguments(command: Command, argv: readonly string[]): ParsedArguments {
  try {
    command.parse([...argv], { from: "user" });
    return { kind: "options", options: command.opts(), words: command.args };
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    if (error.code === "commander.helpDisplayed") return { kind: "help", text: helpText(command) };
    throw invalid("", usageSentence(error, command));
  }
}

function usageOf(command: Command): string {
  return `npm run ${command.name()} -- ${command.usage()}`;
}

function helpText(command: Command): string {
  let text = "";
  command.configureOutput({
    writeOut: (part) => {
      text += part;
    },
  });
  command.outputHelp();
  return text;
}

function usageSentence(error: CommanderError, command: Command): string {
  if (error.code === "commander.excessArguments") {
    const word = JSON.stringify(command.args[0] ?? "");
    return `unexpected argument ${word}; npm needs a -- before the flags: ${usageOf(command)}`;
  }
  return error.message
    .replace(/^error: /, "")
    .replace(/\n\(Did you mean (one of )?(.+)\?\)$/, "; did you mean $2?");
}
