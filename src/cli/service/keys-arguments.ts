import { isIP } from "node:net";
import { hostname } from "node:os";
import { join, resolve } from "node:path";
import { Argument, type Command, Option } from "commander";
import { invalid } from "../../errors.js";
import { ROLES, type Role } from "../../security/role.js";
import { type Options, parseArguments, scriptCommand } from "../terminal/command-line.js";

/** What a person asks for. */
export type KeysRequest = { readonly kind: "help"; readonly text: string } | KeysAction;

export type KeysAction = OfHome &
  (
    | {
        readonly kind: "make";
        readonly folder: string;
        readonly hosts: readonly string[];
        readonly workers: readonly string[];
      }
    | { readonly kind: "add"; readonly name: string; readonly role: Role }
    | { readonly kind: "list" }
    | { readonly kind: "remove"; readonly name: string }
    /** @param isConfirmed nobody is asked */
    | { readonly kind: "open"; readonly isConfirmed: boolean }
  );

interface OfHome {
  /** Its tokens are meant, and its keys where no other folder is named. */
  readonly home: string;
  /** What a command that is run next needs to mean the same home: empty, or a space and a flag. */
  readonly homeFlag: string;
}

export interface KeysPlaces {
  /** Home where none is named. */
  readonly home: string;
  /** Folder that relative paths start from. */
  readonly userFolder: string;
  /** Width of the help. */
  readonly columns: number | undefined;
}

const GROUP = "Options:";
const DNS_NAME =
  /^(?=.{1,253}$)(\*\.)?[A-Za-z0-9_]([A-Za-z0-9_-]{0,62})(\.[A-Za-z0-9_-]{1,63})*\.?$/;
const WORKER_NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,40}$/;

/** @throws StillhouseError INVALID for every mistake in the arguments */
export function parseKeysArguments(argv: readonly string[], places: KeysPlaces): KeysRequest {
  const [first, second = "", ...rest] = argv;
  if (first !== "token") return parseMake(argv, places);
  switch (second) {
    case "add":
      return parseAdd(rest, places);
    case "ls":
      return parseList(rest, places);
    case "rm":
      return parseRemove(rest, places);
    case "open":
      return parseOpen(rest, places);
    case "--help":
    case "-h":
      return parseMake([second], places);
    default:
      throw invalid("", `token takes add, ls, rm or open, got ${JSON.stringify(second)}`);
  }
}

function parseMake(argv: readonly string[], places: KeysPlaces): KeysRequest {
  const { userFolder, columns } = places;
  const command = keysCommand("", columns)
    .description(
      "Creates the keys and certificates with which a control plane serves other machines: an " +
        "authority, TLS certificates of server, client and workers, CURVE keys, tokens of workers. " +
        "Existing keys are kept; certificates are issued again.",
    )
    .addOption(grouped("--out <folder>", "Where they go (default: keys in the home folder)"))
    .addOption(
      grouped(
        "--hosts <names>",
        `Names and addresses by which the server is reached, with commas; localhost and ${hostname()} are always among them`,
      ),
    )
    .addOption(grouped("--workers <names>", "Names of workers, with commas").default("worker"))
    .addHelpText(
      "after",
      "\nTokens for people and programs:\n" +
        "  npm run keys -- token add NAME --role read|submit|admin   shown once, stored as a hash\n" +
        "  npm run keys -- token ls\n" +
        "  npm run keys -- token rm NAME                             refused from then on\n" +
        "  npm run keys -- token open                                with none left: everyone is let in again",
    );
  const parsed = parseArguments(command, argv);
  if (parsed.kind === "help") return parsed;
  const { out, hosts = "", workers = "" } = parsed.options as Record<string, string | undefined>;
  const ofHome = homeOf(parsed.options, places);
  return {
    kind: "make",
    ...ofHome,
    folder: out === undefined ? join(ofHome.home, "keys") : resolve(userFolder, out),
    hosts: listOf(hosts, "--hosts", "a DNS name or an IP address", isHost),
    workers: listOf(workers, "--workers", "a name of letters, digits, . _ -", (name) =>
      WORKER_NAME.test(name),
    ),
  };
}

function parseAdd(argv: readonly string[], places: KeysPlaces): KeysRequest {
  const command = keysCommand("token add NAME ", places.columns)
    .description("Creates a bearer token and prints it once; only its hash is stored.")
    .addArgument(new Argument("<name>", "whose it is"))
    .addOption(
      grouped(
        "--role <role>",
        "read: look at everything; submit: start, cancel and resume besides; admin: delete and " +
          "drain besides; worker: only fetch and hand in artifacts",
      )
        .choices(ROLES)
        .makeOptionMandatory(),
    );
  const parsed = parseArguments(command, argv);
  if (parsed.kind === "help") return parsed;
  const { words, options } = parsed;
  const name = words[0] ?? "";
  return { kind: "add", ...homeOf(options, places), name, role: options.role as Role };
}

function parseList(argv: readonly string[], places: KeysPlaces): KeysRequest {
  const command = keysCommand("token ls ", places.columns).description("Shows who has a token.");
  const parsed = parseArguments(command, argv);
  return parsed.kind === "help" ? parsed : { kind: "list", ...homeOf(parsed.options, places) };
}

function parseRemove(argv: readonly string[], places: KeysPlaces): KeysRequest {
  const command = keysCommand("token rm NAME ", places.columns)
    .description("Removes a token; a running control plane refuses it at once.")
    .addArgument(new Argument("<name>", "whose it is"));
  const parsed = parseArguments(command, argv);
  if (parsed.kind === "help") return parsed;
  return { kind: "remove", ...homeOf(parsed.options, places), name: parsed.words[0] ?? "" };
}

function parseOpen(argv: readonly string[], places: KeysPlaces): KeysRequest {
  const command = keysCommand("token open ", places.columns)
    .description(
      "Lets everyone on this machine in again, without a token. A home that has had tokens stays " +
        "closed until then, also when the last one is removed or tokens.json is deleted.",
    )
    .addOption(grouped("--yes", "Ask nothing, for scripts"));
  const parsed = parseArguments(command, argv);
  if (parsed.kind === "help") return parsed;
  const { options } = parsed;
  return { kind: "open", ...homeOf(options, places), isConfirmed: options.yes === true };
}

/** @param words what follows the command's name in its usage */
function keysCommand(words: string, columns: number | undefined): Command {
  return scriptCommand("keys", columns, GROUP)
    .usage(`${words}[flags]`)
    .addOption(
      grouped("--home <folder>", "Of which home (default: STILLHOUSE_HOME or .stillhouse)"),
    )
    .addOption(grouped("--json", "Print one JSON document on stdout"));
}

function homeOf({ home: named }: Options, { home, userFolder }: KeysPlaces): OfHome {
  if (typeof named !== "string") return { home, homeFlag: "" };
  return { home: resolve(userFolder, named), homeFlag: ` --home ${named}` };
}

function grouped(flags: string, description: string): Option {
  return new Option(flags, description).helpGroup(GROUP);
}

function listOf(
  text: string,
  flag: string,
  what: string,
  isOne: (item: string) => boolean,
): string[] {
  const items = text
    .split(",")
    .map((item) => item.trim())
    .filter((item) => item !== "");
  const wrong = items.find((item) => !isOne(item));
  if (wrong === undefined) return items;
  throw invalid("", `each entry of ${flag} must be ${what}, got ${JSON.stringify(wrong)}`);
}

function isHost(text: string): boolean {
  return isIP(text) !== 0 || DNS_NAME.test(text);
}
