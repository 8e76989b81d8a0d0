import { INTERRUPTED, invalid } from "../../errors.js";
import { suggest } from "../../settings/suggestion.js";
import { type OpenIdleHome, openToLook } from "../connect/open-connection.js";
import { reportFailure } from "../results/report-failure.js";
import { aborted, type Interruption } from "../terminal/interruption.js";
import type { Terminal } from "../terminal/terminal.js";
import { BACKUP, type BackUpHome, backup } from "./backup.js";
import { CHANGES, change, isChange } from "./change.js";
import { type CommandPlaces, type Parsed, parseCommand, type Shape, wordsOf } from "./command.js";
import { EXPORT, exportExperiment } from "./export.js";
import { LIST, list } from "./list.js";
import { LOGS, logs } from "./logs.js";
import type { Session } from "./session.js";
import { SHOW, show } from "./show.js";
import { WATCH, watch } from "./watch.js";
import { WORKERS, workers } from "./workers.js";

export interface StillhouseSurroundings {
  readonly terminal: Terminal;
  readonly interruption: Interruption;
  readonly openIdleHome: OpenIdleHome;
  readonly backUpHome: BackUpHome;
  readonly userFolder: string;
  readonly token: string | undefined;
  readonly showsTraces: boolean;
}

type Run = Extract<Parsed, { kind: "run" }>;

const SHAPES: Readonly<Record<string, Shape>> = {
  ls: LIST,
  show: SHOW,
  watch: WATCH,
  logs: LOGS,
  ...CHANGES,
  workers: WORKERS,
  export: EXPORT,
  backup: BACKUP,
};

/**
 * The command `stillhouse`: shows and manages the experiments of a control plane.
 *
 * @param argv the subcommand and its arguments.
 * @returns the exit code.
 */
export async function runStillhouse(
  argv: readonly string[],
  surroundings: StillhouseSurroundings,
): Promise<number> {
  const { terminal } = surroundings;
  const note = (sentence: string) => terminal.stderr.write(`${sentence}\n`);
  try {
    const [name = ""] = argv;
    const parsed = parseStillhouseArguments(argv, { ...surroundings, columns: terminal.columns });
    if (parsed === undefined) return overview(name, terminal);
    if (parsed.kind === "help") {
      terminal.stdout.write(parsed.text);
      return 0;
    }
    if (name === "backup") return await backup(parsed, surroundings);
    return await whileConnected(parsed, surroundings, note, (session) =>
      run(name, session, parsed),
    );
  } catch (thrown) {
    if (surroundings.interruption.stop.aborted) return INTERRUPTED;
    const isJson = argv.includes("--json");
    return reportFailure(thrown, terminal, { isJson, showsTraces: surroundings.showsTraces });
  }
}

/**
 * @returns undefined where the first word is no subcommand
 * @throws StillhouseError INVALID for every mistake in the arguments
 */
export function parseStillhouseArguments(
  argv: readonly string[],
  places: CommandPlaces,
): Parsed | undefined {
  const [name = "", ...rest] = argv;
  const shape = Object.hasOwn(SHAPES, name) ? SHAPES[name] : undefined;
  return shape && parseCommand(shape, rest, places);
}

function run(name: string, session: Session, { words, options }: Run): Promise<number> {
  const [first = ""] = words;
  if (isChange(name)) return change(session, name, words);
  switch (name) {
    case "show":
      return show(session, first);
    case "watch":
      return watch(session, first);
    case "logs":
      return logs(session, first, options.follow === true);
    case "workers":
      return workers(session, words);
    case "export":
      return exportExperiment(session, first, options);
    default:
      return list(session, options);
  }
}

async function whileConnected(
  { server, isJson }: Run,
  { terminal, interruption, openIdleHome, userFolder }: StillhouseSurroundings,
  note: (sentence: string) => void,
  action: (session: Session) => Promise<number>,
): Promise<number> {
  const connection = await openToLook(server, openIdleHome);
  const last: (() => void)[] = [];
  const atEnd = (step: () => void) => last.push(step);
  const parts = { connection, terminal, interruption, isJson, server, userFolder, note, atEnd };
  try {
    const running = action({ ...parts, isIdle: connection.isOwn });
    running.catch(() => undefined); // nobody hears of it after Ctrl-C
    // All of them only read or request: a request is finished, or continues, without them.
    return await Promise.race([running, aborted(interruption.stop).then(() => INTERRUPTED)]);
  } finally {
    for (const step of last) step();
    await connection.close();
  }
}

function overview(name: string, { stdout }: Terminal): number {
  const isAsked = ["", "help", "--help", "-h"].includes(name);
  if (!isAsked) {
    const names = Object.keys(SHAPES);
    const near = suggest(name, names);
    const hint = near === undefined ? `it has ${names.join(", ")}` : `did you mean ${near}?`;
    throw invalid("", `stillhouse has no command ${JSON.stringify(name)}; ${hint}`);
  }
  const lines = Object.values(SHAPES).map(({ name: key, argument = "", description }) => {
    return `  ${`${key} ${wordsOf(argument)}`.padEnd(26)}${description.split(/[.:]/)[0]}`;
  });
  stdout.write(
    [
      "Usage: npm run stillhouse -- COMMAND [flags]",
      "",
      "Shows and manages the experiments of a control plane: that of --server, that of the",
      "home, or the home itself. The beginning of an id is enough if it is unique.",
      "",
      ...lines,
      "",
      "COMMAND --help says more. Exit codes: 0 ok, 1 failed, 2 wrong usage, 3 no server, 130 Ctrl-C.",
      "",
    ].join("\n"),
  );
  return 0;
}
