import { invalid, toFailure } from "../../errors.js";
import type { AuditLog } from "../../security/audit-log.js";
import { KEY_FILES, PARTIES } from "../../security/keys/key-files.js";
import { makeKeys } from "../../security/keys/make-keys.js";
import type { TokenFile } from "../../security/token-file.js";
import { reportFailure } from "../results/report-failure.js";
import type { Terminal } from "../terminal/terminal.js";
import { type KeysAction, parseKeysArguments } from "./keys-arguments.js";

export interface KeysSurroundings {
  readonly terminal: Terminal;
  /** Home where the arguments name none. */
  readonly home: string;
  /** Folder that relative paths start from. */
  readonly userFolder: string;
  /** Creates the home if it does not exist. */
  readonly openHome: (home: string) => KeysHome;
  /** Name of the person's account on this machine. */
  readonly account: string;
  /** Shows a question and returns the typed line; undefined where nobody can be asked. */
  readonly ask: (question: string) => Promise<string | undefined>;
}

export interface KeysHome {
  readonly tokens: TokenFile;
  readonly audit: AuditLog;
}

/** What a command shows: to a person, and with `--json`. */
interface Shown {
  /** For stdout. */
  readonly text: string;
  /** For stderr. */
  readonly note?: string;
  readonly document: object;
}

/**
 * The command `keys`: makes keys and certificates, and adds, lists and removes tokens.
 *
 * @param argv what follows the command's name
 * @returns the exit code
 */
export async function runKeys(
  argv: readonly string[],
  surroundings: KeysSurroundings,
): Promise<number> {
  const { stdout, stderr, columns } = surroundings.terminal;
  const isJson = argv.includes("--json");
  try {
    const request = parseKeysArguments(argv, { ...surroundings, columns });
    if (request.kind === "help") {
      stdout.write(request.text);
      return 0;
    }
    const { text, note, document } = await audited(request, surroundings);
    if (note !== undefined && !isJson) stderr.write(note);
    stdout.write(isJson ? `${JSON.stringify(document, null, 2)}\n` : text);
    return 0;
  } catch (thrown) {
    return reportFailure(thrown, surroundings.terminal, { isJson });
  }
}

/** Does it and leaves a line in the audit log, also when it fails. */
async function audited(
  request: KeysAction,
  { account, openHome, ask }: KeysSurroundings,
): Promise<Shown> {
  const { tokens, audit } = openHome(request.home);
  const target = "name" in request ? request.name : "folder" in request ? request.folder : "";
  const what = { make: "keys", add: "token add", remove: "token rm", open: "token open", list: "" }[
    request.kind
  ];
  const write = (result: string) => {
    if (what !== "") audit.record({ who: account, role: "", what, target, from: "shell", result });
  };
  try {
    const shown = await perform(request, tokens, ask);
    write("ok");
    return shown;
  } catch (error) {
    write(toFailure(error).kind.replace("FAILURE_KIND_", ""));
    throw error;
  }
}

async function perform(
  request: KeysAction,
  tokens: TokenFile,
  ask: KeysSurroundings["ask"],
): Promise<Shown> {
  switch (request.kind) {
    case "make": {
      const made = await makeKeys({ ...request, tokens, now: new Date() });
      return shownKeys(request, made.hosts, made.expires);
    }
    case "add": {
      const { name, role } = request;
      const token = tokens.add(name, role, new Date());
      return {
        text: `${token}\n`,
        note: `The token of ${name}, with the role ${role}. It is not shown again:\n`,
        document: { name, role, token },
      };
    }
    case "list":
      return shownTokens(tokens);
    case "remove":
      tokens.remove(request.name);
      return {
        text: `The token of ${request.name} is removed.\n`,
        ...(tokens.read().length === 0 ? { note: LAST_ONE } : {}),
        document: { removed: request.name },
      };
    case "open": {
      if (!tokens.isClosed) {
        const text = "It is open: it has had no tokens since it was created, or opened.\n";
        return { text, document: { open: true } };
      }
      if (!request.isConfirmed) await confirm(request.home, ask);
      tokens.open();
      const text = `${request.home} is open: everyone on this machine may do everything.\n`;
      return { text, document: { open: true } };
    }
  }
}

const LAST_ONE =
  "It was the last one. The home stays closed to all but commands on it; token add makes another " +
  "one, and token open lets everyone on this machine in.\n";

/** @throws INVALID where it is not typed */
async function confirm(home: string, ask: KeysSurroundings["ask"]): Promise<void> {
  const question =
    `Everyone who has an account on this machine, and every program on it, will be able to do ` +
    `everything with ${home}. Type "open" to go on: `;
  const typed = await ask(question);
  if (typed?.trim() === "open") return;
  throw invalid(
    "",
    typed === undefined
      ? "token open asks for a confirmation, and there is no terminal; give --yes in a script"
      : 'nothing was changed, since "open" was not typed',
  );
}

function shownKeys(
  { folder, workers, homeFlag }: Extract<KeysAction, { kind: "make" }>,
  hosts: readonly string[],
  expires: Date,
): Shown {
  const rows = [
    [PARTIES.authority, "the authority; its key can issue certificates, so keep it offline"],
    [PARTIES.server, "for the control plane"],
    [
      PARTIES.client,
      `for clients: --ca ${KEY_FILES.authority}, and where the server asks for one a certificate`,
    ],
    ...workers.map((name) => [
      PARTIES.worker(name),
      `for the worker ${name}: copy it to its machine`,
    ]),
  ];
  const text = [
    `Keys and certificates are in ${folder}, readable by you alone:`,
    ...aligned(rows).map((line) => `  ${line}`),
    `The server's certificate is for ${hosts.join(", ")}; all are valid until ${expires.toISOString().slice(0, 10)}.`,
    "A running control plane uses its new certificate from its next start on.",
    `Next: npm run keys -- token add NAME --role admin${homeFlag}`,
    "",
  ].join("\n");
  return { text, document: { folder, hosts, workers, expires: expires.toISOString() } };
}

function shownTokens(tokens: TokenFile): Shown {
  const list = tokens.read().map(({ name, role, created }) => ({ name, role, created }));
  const rows = list.map(({ name, role, created }) => [name, role, created.slice(0, 10)]);
  const lines = aligned([["name", "role", "created"], ...rows]);
  const text = list.length === 0 ? "There are no tokens.\n" : `${lines.join("\n")}\n`;
  return { text, document: { tokens: list } };
}

/** Rows as lines, each column as wide as its widest cell. */
function aligned(rows: readonly (readonly string[])[]): string[] {
  const widths = (rows[0] ?? []).map((_, column) =>
    Math.max(...rows.map((row) => row[column]?.length ?? 0)),
  );
  return rows.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join("  ")
      .trimEnd(),
  );
}
