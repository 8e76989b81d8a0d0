import { setTimeout as sleep } from "node:timers/promises";
import { StillhouseClient } from "./api/client.js";
import { FailureKind, StillhouseError } from "./errors.js";
import { type HomePaths, makeHome } from "./store/home.js";
import { HomeLock, readServerRecord } from "./store/home-lock.js";

/** A control plane that starts or ends holds the home without answering; its workers still write. */
const PATIENCE_MS = 60_000;
const POLL_MS = 100;
const ANSWER_MS = 2_000;

export type OpenedHome =
  /** This process may run the control plane. */
  | { readonly kind: "owner"; readonly lock: HomeLock }
  /** Another one runs it at this address. */
  | { readonly kind: "running"; readonly address: string };

/**
 * Opens the home folder of the project's data, and makes it where it is not there.
 *
 * @throws ENVIRONMENT when the folder cannot be used, UNAVAILABLE when another process holds it
 *   but does not answer
 */
export async function openHome(home: string): Promise<OpenedHome> {
  const paths = makeHome(home);
  const deadlineMs = performance.now() + PATIENCE_MS;
  for (;;) {
    const lock = HomeLock.take(paths);
    if (lock) return { kind: "owner", lock };
    const address = await runningAddress(paths);
    if (address !== undefined) return { kind: "running", address };
    if (performance.now() > deadlineMs) throw silent(paths);
    await sleep(POLL_MS);
  }
}

async function runningAddress(paths: HomePaths): Promise<string | undefined> {
  const address = readServerRecord(paths)?.address;
  return address !== undefined && (await answers(address)) ? address : undefined;
}

async function answers(address: string): Promise<boolean> {
  const client = new StillhouseClient(address);
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

function silent(paths: HomePaths): StillhouseError {
  const pid = readServerRecord(paths)?.pid;
  const holder = pid === undefined ? "another process" : `the process ${pid}`;
  return new StillhouseError(
    FailureKind.FAILURE_KIND_UNAVAILABLE,
    `${holder} holds the home folder ${paths.home} but does not answer; end it or choose another home folder with STILLHOUSE_HOME`,
  );
}
