import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { channelOf, type Endpoint } from "../../api/endpoint.js";
import { invalid } from "../../errors.js";
import { hostOf, isLoopback } from "../../security/network.js";
import type { Options } from "../terminal/command-line.js";

/** The flags of every command that speaks to a server, with their help. */
export const SERVER_FLAGS: readonly (readonly [flags: string, help: string])[] = [
  ["--server <host:port>", "Use the control plane at this address instead of one of its own"],
  ["--ca <file>", "Use TLS, and check the server's certificate against this authority"],
  ["--token-file <file>", "Bearer token for the server (default: STILLHOUSE_TOKEN)"],
  ["--cert <file>", "Certificate to show to the server, with its --key"],
  ["--key <file>", "Private key of --cert"],
];

/** How paths of data sets and models are meant that a command names beside a server. */
export const SEND_FLAGS: readonly (readonly [flags: string, help: string])[] = [
  [
    "--send",
    "Send data sets and models that are named by a path of this machine to the server (default: unless its address is a loopback one)",
  ],
  ["--server-paths", "Paths of data sets and models are those of the server's machine"],
];

/** The server that the flags name. */
export interface NamedServer {
  readonly endpoint: Endpoint;
  /** The flags again, for a command that a person is to run next. */
  readonly flags: string;
  /** Whether data sets and models of this machine are sent to it; absent: they are not. */
  readonly sends?: boolean;
}

export interface ServerSurroundings {
  /** Folder that relative paths start from. */
  readonly userFolder: string;
  /** Bearer token where no flag names one. */
  readonly token?: string | undefined;
}

const SERVER = /^(\[[\da-f:]+\]|[^\s:/]+):\d{1,5}$/i;
const TOKEN = /^\S+$/;
const FILES = { ca: "ca", cert: "cert", key: "key", tokenFile: "token-file" } as const;

/**
 * Reads what the flags name.
 *
 * @returns undefined without `--server`
 * @throws StillhouseError INVALID for a file that cannot be read, or keys that do not fit together
 */
export function serverOf(
  options: Options,
  { userFolder, token: known }: ServerSurroundings,
): NamedServer | undefined {
  const address = options.server;
  const given = Object.entries(FILES).filter(([name]) => typeof options[name] === "string");
  if (typeof address !== "string") {
    if (options.send === true) throw invalid("", "--send is for a server; name it with --server");
    if (given[0] === undefined) return undefined;
    throw invalid("", `--${given[0][1]} is for a server; name it with --server HOST:PORT`);
  }
  if (!SERVER.test(address)) {
    throw invalid("", `--server must be HOST:PORT, got ${JSON.stringify(address)}`);
  }
  const read = (name: keyof typeof FILES) => textOf(options[name], FILES[name], userFolder);
  const token = read("tokenFile")?.trim() ?? known?.trim();
  if (token !== undefined && !TOKEN.test(token)) {
    throw invalid("", `the token of --token-file or STILLHOUSE_TOKEN must be one word`);
  }
  const endpoint: Endpoint = {
    address,
    ...present("authority", read("ca")),
    ...present("certificate", read("cert")),
    ...present("key", read("key")),
    ...present("token", token),
  };
  // What cannot be used is reported now, before anything is done.
  channelOf(endpoint);
  return { endpoint, flags: serverWords(options).join(" "), sends: sendsTo(address, options) };
}

/** A server at a loopback address usually sees the paths of this machine. */
function sendsTo(address: string, { send, serverPaths }: Options): boolean {
  if (send === true && serverPaths === true) {
    throw invalid("", "--send and --server-paths exclude each other; give one of them");
  }
  if (send === true || serverPaths === true) return send === true;
  return !isLoopback(hostOf(address));
}

/** The flags again, for another command that speaks to the same server. */
export function serverWords(options: Options): string[] {
  return Object.entries({ server: "server", ...FILES }).flatMap(([name, flag]) => {
    const value = options[name];
    return typeof value === "string" ? [`--${flag}`, value] : [];
  });
}

function present<Name extends string>(name: Name, text: string | undefined) {
  return text === undefined ? {} : ({ [name]: text } as { [key in Name]: string });
}

function textOf(path: unknown, flag: string, userFolder: string): string | undefined {
  if (typeof path !== "string") return undefined;
  try {
    return readFileSync(resolve(userFolder, path), "utf8");
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    const reason = code === "ENOENT" ? "does not exist" : `cannot be read (${code})`;
    throw invalid("", `--${flag}: ${path} ${reason}`);
  }
}
