import { npmCommand } from "./npm-command.js";

/** A flag as the help of a command lists it. */
interface Listed {
  readonly name: string;
  readonly takesValue: boolean;
}

/**
 * What npm keeps of a command line without `--`: it reads the flags as settings of its own, passes
 * them as environment variables, and the command runs with its defaults.
 *
 * A variable counts if it is a flag of this command, since npm's own settings and those of the
 * person's .npmrc are variables too.
 *
 * @param script name of the npm script.
 * @param argv what npm passed on.
 * @param env of the process.
 * @param help of the command, whose flags it lists.
 * @returns a sentence with the right command line; undefined where npm kept nothing.
 */
export function keptByNpm(
  script: string,
  argv: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
  help: string,
): string | undefined {
  // Else the variables are of another npm around this process.
  if (env.npm_lifecycle_event !== script) return undefined;
  const listed = new Map(listedFlags(help).map((flag) => [variableOf(flag.name), flag]));
  const kept = Object.entries(env).flatMap(([variable, value]) => {
    const flag = keptFlag(variable, value ?? "", listed);
    return flag === undefined ? [] : [flag];
  });
  if (kept.length === 0) return undefined;
  const right = npmCommand(script, typedArguments(kept, argv));
  const flags = kept.map(({ text }) => text).join(" ");
  return `npm kept ${flags} to itself, since no -- stands before; write: ${right}`;
}

/**
 * Lines such as "  -h, --help  Show this text", "  --model <name>  A name" and "  --faults N  How
 * many"; a text that goes on in the next line, and may begin with a flag there, stands further right.
 */
function listedFlags(help: string): Listed[] {
  return [...help.matchAll(/^ {2}(?:-\w, )?--([a-z][a-z-]*)( [<A-Z])?/gm)].map(
    ([, name = "", value]) => ({
      name,
      takesValue: value !== undefined,
    }),
  );
}

function variableOf(flag: string): string {
  return `npm_config_${flag.replaceAll("-", "_")}`;
}

interface Kept {
  readonly text: string;
  /** It was typed as `--flag value`, and npm passed the value on as a word. */
  readonly lacksValue: boolean;
}

function keptFlag(
  variable: string,
  value: string,
  listed: ReadonlyMap<string, Listed>,
): Kept | undefined {
  // npm turns --no-flag into an empty value, and a flag without a value into "true".
  if (value === "") {
    const negative = listed.get(variable.replace("npm_config_", "npm_config_no_"));
    return negative && { text: `--${negative.name}`, lacksValue: false };
  }
  const flag = listed.get(variable);
  if (flag === undefined) return undefined;
  const lacksValue = flag.takesValue && value === "true";
  return flag.takesValue && !lacksValue
    ? { text: `--${flag.name}=${value}`, lacksValue }
    : { text: `--${flag.name}`, lacksValue };
}

/** One word beside one flag without its value is that value; npm keeps no order of several. */
function typedArguments(kept: readonly Kept[], argv: readonly string[]): string[] {
  const isClear = argv.length === 1 && kept.filter(({ lacksValue }) => lacksValue).length === 1;
  const value = (isClear && argv[0]) || "VALUE";
  const flags = kept.flatMap(({ text, lacksValue }) => (lacksValue ? [text, value] : [text]));
  return isClear ? flags : [...argv, ...flags];
}
