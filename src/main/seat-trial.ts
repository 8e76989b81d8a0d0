import { mkdtempSync, rmSync } from "node:fs";
import { join } from "node:path";
import { StillhouseClient } from "../api/client.js";
import type { SeatRequest } from "../cli/service/doctor-arguments.js";
import type { SeatTrial } from "../cli/service/doctor-seat.js";
import { type ControlPlane, openHome, startControlPlane } from "../control-plane.js";
import { internal } from "../errors.js";
import type { Log } from "../experiment/domain/ports.js";
import { makeFolder } from "../make-folder.js";
import { makeKeys } from "../security/keys/make-keys.js";
import { readPartyKeys } from "../security/keys/read-keys.js";
import { TokenFile } from "../security/token-file.js";
import { homePaths } from "../store/home.js";

export interface SeatPlaces {
  /** The home below which the one of the try is: nodes see it where they see the home. */
  readonly home: string;
  readonly pythonPath: string;
  readonly env: NodeJS.ProcessEnv;
  readonly stop: AbortSignal;
}

/** Longer than any try, so that the worker ends when it is told to. */
const NEVER_IDLE_MS = 86_400_000;
/** Time for a worker without a task to end. */
const STOP_GRACE_MS = 30_000;

/** Starts a control plane with keys on a home of its own, and asks its engine for one worker. */
export async function startSeatTrial(
  { engine, timeoutMs: _, ...listening }: SeatRequest,
  { home, ...python }: SeatPlaces,
): Promise<SeatTrial> {
  makeFolder(home);
  const folder = mkdtempSync(join(home, "doctor-"));
  const remove = () => rmSync(folder, { recursive: true, force: true });
  const warnings: string[] = [];
  try {
    const plane = await startControlPlane({
      ...{ home: folder, lock: await lockOf(folder), ...python, ...listening },
      ...{ numWorkers: 0, engines: [{ ...engine, idleTimeoutMs: NEVER_IDLE_MS }] },
      ...{ log: logTo(warnings), security: { keys: await keysIn(folder) } },
      timings: { stopGraceMs: STOP_GRACE_MS },
    });
    return trialOf(plane, engine.name, warnings, remove);
  } catch (error) {
    remove();
    throw error;
  }
}

function trialOf(
  plane: ControlPlane,
  pool: string,
  warnings: readonly string[],
  remove: () => void,
): SeatTrial {
  const { address, clientKeys } = plane;
  const client = new StillhouseClient({ address, ...readPartyKeys(clientKeys) });
  plane.askForWorker(pool);
  return {
    addresses: plane.advertised,
    warnings,
    workers: () => client.workers(),
    pools: () => client.pools(),
    stop: async () => {
      client.close();
      await plane.stop();
      remove();
    },
  };
}

async function lockOf(home: string) {
  const opened = await openHome(home, () => undefined);
  if (opened.kind === "owner") return opened.lock;
  throw internal(`${home} is new, and has an owner`);
}

/** The way of every cluster: TLS, CURVE and tokens, also where the try is on this machine alone. */
async function keysIn(home: string): Promise<string> {
  const { keys, tokens: file } = homePaths(home);
  const tokens = new TokenFile(file);
  await makeKeys({ folder: keys, hosts: [], workers: [], tokens, now: new Date() });
  tokens.add("doctor", "admin", new Date());
  return keys;
}

function logTo(warnings: string[]): Log {
  const keep = (message: string) => warnings.push(message);
  const drop = () => undefined;
  return { debug: drop, info: drop, warn: keep, error: keep };
}
