import { invalid, notFound } from "../../errors.js";
import type { Experiment } from "../../generated/stillhouse/v1/experiment.js";
import type { Connection } from "../connect/connection.js";
import type { NamedServer } from "../connect/server-flags.js";
import type { Interruption } from "../terminal/interruption.js";
import type { Terminal } from "../terminal/terminal.js";

/** The context of a subcommand. */
export interface Session {
  readonly connection: Connection;
  readonly terminal: Terminal;
  readonly interruption: Interruption;
  readonly isJson: boolean;
  /** Whether nothing runs, since no control plane with workers has the home. */
  readonly isIdle: boolean;
  readonly server: NamedServer | undefined;
  readonly userFolder: string;
  /** Has something done at the end, also where Ctrl-C brings it. */
  readonly atEnd: (action: () => void) => void;
  /** A sentence for the person, on stderr. */
  readonly note: (sentence: string) => void;
}

const ID_LENGTH = 10;
const IDS_PER_PAGE = 1_000;
const SHOWN = 5;

/**
 * The id of the experiment that begins with these characters.
 *
 * @throws StillhouseError NOT_FOUND where none does, INVALID where several do
 */
export async function fullId({ connection }: Session, prefix: string): Promise<string> {
  requireId(prefix);
  if (prefix.length >= ID_LENGTH) return prefix;
  const matches: string[] = [];
  let pageToken = "";
  do {
    const page = await connection.call((client) =>
      client.list(IDS_PER_PAGE, pageToken, { text: prefix }),
    );
    for (const { id } of page.experiments) if (id.startsWith(prefix)) matches.push(id);
    pageToken = page.nextPageToken;
  } while (pageToken !== "");
  return onlyId(matches, prefix, "experiment", "ls");
}

/** The same of a worker. */
export async function fullWorkerId({ connection }: Session, prefix: string): Promise<string> {
  requireId(prefix);
  const ids = (await connection.call((client) => client.workers())).map(({ id }) => id);
  if (ids.includes(prefix)) return prefix;
  const matches = ids.filter((id) => id.startsWith(prefix));
  return onlyId(matches, prefix, "worker", "workers");
}

function requireId(prefix: string): void {
  if (/^[A-Za-z0-9_-]{1,64}$/.test(prefix)) return;
  throw invalid("", `an id has only letters and digits, got ${JSON.stringify(prefix)}`);
}

function onlyId(matches: readonly string[], prefix: string, noun: string, list: string): string {
  const [only, ...others] = matches;
  if (only === undefined) {
    throw notFound(
      `no ${noun} has an id that begins with ${prefix}; npm run stillhouse -- ${list} lists them`,
    );
  }
  if (others.length > 0) {
    const shown = matches.slice(0, SHOWN).join(", ");
    const rest = matches.length > SHOWN ? ", …" : "";
    throw invalid("", `${prefix} begins the ids of ${matches.length} ${noun}s: ${shown}${rest}`);
  }
  return only;
}

/** An experiment by the beginning of its id, with the folder of its artifact. */
export async function foundExperiment(
  session: Session,
  prefix: string,
): Promise<{ experiment: Experiment; artifactPath: string }> {
  const id = await fullId(session, prefix);
  return session.connection.call((client) => client.get(id));
}

/** A command for the person to run next on the same server. */
export function nextCommand({ server }: Session, words: string): string {
  return `npm run stillhouse -- ${words}${server === undefined ? "" : ` ${server.flags}`}`;
}

export function printJson({ terminal }: Session, document: unknown): void {
  terminal.stdout.write(`${JSON.stringify(document, null, 2)}\n`);
}
