import { type Command, Option } from "commander";
import { invalid } from "../../errors.js";
import { type NamedServer, SERVER_FLAGS, serverOf } from "../connect/server-flags.js";
import { type Options, parseArguments, scriptCommand } from "../terminal/command-line.js";

/** The words and flags of a subcommand. */
export type Parsed =
  | { readonly kind: "help"; readonly text: string }
  | {
      readonly kind: "run";
      readonly words: readonly string[];
      readonly options: Options;
      readonly server: NamedServer | undefined;
      readonly isJson: boolean;
    };

export interface CommandPlaces {
  /** Folder that relative paths start from. */
  readonly userFolder: string;
  /** Bearer token where no flag names one. */
  readonly token: string | undefined;
  /** Width of the help. */
  readonly columns: number | undefined;
}

/** What a subcommand takes, for its help and its parser. */
export interface Shape {
  readonly name: string;
  readonly description: string;
  /** Such as "<id...>", as commander writes it. */
  readonly argument?: string;
  readonly flags?: readonly (readonly [flag: string, help: string])[];
  readonly help?: string;
  /** Whether it speaks to no server; its help then names no flags for one. */
  readonly isOfThisMachine?: boolean;
}

const GROUP = "Options:";
const JSON_FLAG = ["--json", "Print JSON on stdout"] as const;

/** @throws StillhouseError INVALID for every mistake in the arguments */
export function parseCommand(shape: Shape, argv: readonly string[], places: CommandPlaces): Parsed {
  const parsed = parseArguments(commandOf(shape, places.columns), argv);
  if (parsed.kind === "help") return parsed;
  const { options, words } = parsed;
  const isJson = options.json === true;
  return { kind: "run", words, options, server: serverOf(options, places), isJson };
}

/** A flag that takes a whole number from 1 on. */
export function countOf(raw: unknown, flag: string, otherwise: number): number {
  if (raw === undefined) return otherwise;
  if (typeof raw === "string" && /^[1-9]\d{0,5}$/.test(raw)) return Number(raw);
  throw invalid("", `${flag} must be a whole number ≥ 1, got ${JSON.stringify(raw)}`);
}

/** A flag that takes one of some words, or several with commas. */
export function choicesOf<Value>(
  raw: unknown,
  flag: string,
  choices: Readonly<Record<string, Value>>,
): Value[] {
  if (typeof raw !== "string") return [];
  return raw.split(",").map((word) => {
    const found = Object.entries(choices).find(([name]) => name === word.trim());
    if (found) return found[1];
    const allowed = Object.keys(choices).join(", ");
    throw invalid("", `${flag} must be of ${allowed}, got ${JSON.stringify(word)}`);
  });
}

/** "<id...>" as people read it: "ID…". */
export function wordsOf(argument: string): string {
  return argument
    .replaceAll(/[<>]/g, "")
    .replaceAll("id", "ID")
    .replaceAll("file", "FILE")
    .replaceAll("...", "…");
}

function commandOf(shape: Shape, columns?: number) {
  const { name, description, argument, flags = [], help, isOfThisMachine = false } = shape;
  const command: Command = scriptCommand(`stillhouse`, columns, GROUP).description(description);
  const words = argument === undefined ? "" : ` ${wordsOf(argument)}`;
  command.usage(`${name}${words} [flags]`);
  if (argument !== undefined) command.argument(argument);
  for (const [flag, text] of [...flags, JSON_FLAG]) {
    command.addOption(new Option(flag, text).helpGroup(GROUP));
  }
  for (const [flag, text] of SERVER_FLAGS) {
    command.addOption(new Option(flag, text).helpGroup(GROUP).hideHelp(isOfThisMachine));
  }
  if (help !== undefined) command.addHelpText("after", help);
  return command;
}
