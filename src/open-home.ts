import { setTimeout as sleep } from "node:timers/promises";
import { StillhouseClient } from "./api/client.js";
import { environment, type StillhouseError, unavailable } from "./errors.js";
import { readPartyKeys } from "./security/keys/read-keys.js";
import { type HomePaths, keepPrivate, makeHome } from "./store/home.js";
import { HomeLock, readServerRecord, type ServerRecord } from "./store/home-lock.js";
import { isInPostgres } from "./store/postgres/home-binding.js";

/**
 * A control plane that starts or ends holds the home without answering; its workers still write.
 */
const PATIENCE_MS = 60_000;
const POLL_MS = 100;
const ANSWER_MS = 2_000;

export type OpenedHome =
  /** This process may run the control plane. */
  | { readonly kind: "owner"; readonly lock: HomeLock }
  /** Another one runs it. */
  | {
      readonly kind: "running";
      readonly address: string;
      /** Folder of keys for clients of this machine. */
      readonly keys: string;
    };

/**
 * Opens the home folder, and creates it if it does not exist.
 *
 * @param note gets a sentence where others had access to it
 * @throws ENVIRONMENT when the folder cannot be used, UNAVAILABLE when another process holds it
 *   but does not answer
 */
export async function openHome(
  home: string,
  note: (sentence: string) => void,
): Promise<OpenedHome> {
  const paths = makeHome(home);
  if (isInPostgres(paths)) throw inPostgres(paths);
  keepPrivate(paths, note);
  const deadlineMs = performance.now() + PATIENCE_MS;
  for (;;) {
    const lock = HomeLock.take(paths);
    if (lock) return { kind: "owner", lock };
    const running = await runningServer(paths);
    if (running) return { kind: "running", ...running };
    if (performance.now() > deadlineMs) throw silent(paths);
    await sleep(POLL_MS);
  }
}

async function runningServer(paths: HomePaths): Promise<ServerRecord | undefined> {
  const record = readServerRecord(paths);
  return record && (await answers(record)) ? record : undefined;
}

async function answers({ address, keys }: ServerRecord): Promise<boolean> {
  const client = new StillhouseClient({ address, ...readPartyKeys(keys) });
  const given = client.list(1, "").then(
    () => true,
    () => false,
  );
  try {
    return await Promise.race([given, sleep(ANSWER_MS, false, { ref: false })]);
  } finally {
    client.close();
  }
}

function inPostgres({ home }: HomePaths): StillhouseError {
  return environment(
    `the experiments of ${home} are in PostgreSQL: name the control plane that leads with --server, or start one with npm run serve -- --store postgres://…`,
  );
}

function silent(paths: HomePaths): StillhouseError {
  const pid = readServerRecord(paths)?.pid;
  const holder = pid === undefined ? "another process" : `the process ${pid}`;
  return unavailable(
    `${holder} holds the home folder ${paths.home} but does not answer; end it or choose another home folder with STILLHOUSE_HOME`,
  );
}
