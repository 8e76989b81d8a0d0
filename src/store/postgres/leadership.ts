import { hostname } from "node:os";
import { setTimeout as sleep } from "node:timers/promises";
import { StorageFault } from "../../experiment/domain/storage-fault.js";
import type { StoreDatabases } from "../databases.js";
import type { HomePaths } from "../home.js";
import type { PlaneLock } from "../home-lock.js";
import { prepareSchema } from "../schema.js";
import type { PostgresAddress } from "./address.js";
import { PostgresDatabase } from "./database.js";
import { bindHome } from "./home-binding.js";
import { PostgresLink } from "./link.js";

export interface StandOptions {
  readonly address: PostgresAddress;
  readonly paths: HomePaths;
  /** How long after its last sign of life a leader is followed by another. */
  readonly leaseMs: number;
  /** Gets a sentence for the person who waits. */
  readonly note: (sentence: string) => void;
  readonly stop: AbortSignal;
}

const LONGEST_POLL_MS = 500;
const SHORTEST_POLL_MS = 20;
const RENEWALS_PER_LEASE = 3;
const UNTIL = "clock_timestamp() + ? * interval '1 millisecond'";

/**
 * The right to be the one control plane on a database: a row with a deadline by the server's clock,
 * which the leader moves on, and a number that excludes earlier leaders from writing.
 */
export class Leadership implements PlaneLock {
  readonly epoch: number;
  readonly databases: StoreDatabases;
  readonly #database: PostgresDatabase;
  readonly #link: PostgresLink;
  readonly #leaseMs: number;

  private constructor(link: PostgresLink, name: string, epoch: number, leaseMs: number) {
    this.epoch = epoch;
    this.#link = link;
    this.#leaseMs = leaseMs;
    const database = new PostgresDatabase(name, link);
    // A lease counts once the change of its experiment is on the disk, and what is before that in
    // the server's log is then there too.
    const secrets = new PostgresDatabase(name, link, { waitsForDisk: false });
    for (const fenced of [database, secrets]) fenced.fence(epoch);
    this.#database = database;
    this.databases = { main: database, metrics: database, secrets, close: () => undefined };
  }

  /**
   * Waits until no other control plane leads.
   *
   * @throws the reason of `stop`; ENVIRONMENT where the database cannot be used, or not with this
   *   home
   */
  static async stand({ address, paths, leaseMs, note, stop }: StandOptions): Promise<Leadership> {
    const { connectionString, name } = address;
    const link = new PostgresLink({ connectionString, idleTransactionMs: leaseMs });
    try {
      const database = new PostgresDatabase(name, link);
      bindHome(database, paths);
      const epoch = await taken(database, leaseMs, note, stop);
      const leadership = new Leadership(link, name, epoch, leaseMs);
      // Not before it leads: the leader may be of an earlier version.
      prepareSchema(leadership.#database);
      return leadership;
    } catch (error) {
      link.close();
      throw error;
    }
  }

  get renewalMs(): number {
    return this.#leaseMs / RENEWALS_PER_LEASE;
  }

  /** Throws StorageFault, a lasting one where another control plane leads. */
  renew(): void {
    this.#database.run(`UPDATE leadership SET until = ${UNTIL}`, this.#leaseMs);
  }

  /** Commands on the home name the server themselves: this may be another machine. */
  announce(): void {}

  withdraw(): void {}

  /** Lets another control plane lead at once; again is nothing. */
  release(): void {
    try {
      this.#database.run("UPDATE leadership SET until = to_timestamp(0)");
    } catch {
      // Its lease ends by itself, or has ended.
    }
    this.#link.close();
  }
}

async function taken(
  database: PostgresDatabase,
  leaseMs: number,
  note: (sentence: string) => void,
  stop: AbortSignal,
): Promise<number> {
  let isTold = false;
  for (;;) {
    stop.throwIfAborted();
    const waiting = attempt(database, leaseMs);
    if ("epoch" in waiting) return waiting.epoch;
    if (!isTold) note(`${waiting.reason}; this control plane stands by`);
    isTold = true;
    const ms = Math.min(LONGEST_POLL_MS, Math.max(SHORTEST_POLL_MS, waiting.leftMs));
    await sleep(ms, undefined, { signal: stop }).catch(() => undefined);
  }
}

type Waiting = { readonly leftMs: number; readonly reason: string };

function attempt(database: PostgresDatabase, leaseMs: number): { epoch: number } | Waiting {
  try {
    const [row] = database.transaction(() =>
      database.all<{ epoch: number }>(
        `UPDATE leadership SET epoch = epoch + 1, holder = ?, until = ${UNTIL}
         WHERE until < clock_timestamp() RETURNING epoch`,
        `${hostname()}, process ${process.pid}`,
        leaseMs,
      ),
    );
    return row ?? leaderOf(database);
  } catch (error) {
    // A server that starts again has not lost who leads.
    if (!(error instanceof StorageFault) || error.isLasting) throw error;
    return { leftMs: LONGEST_POLL_MS, reason: error.message };
  }
}

function leaderOf(database: PostgresDatabase): Waiting {
  const row = database.get<{ holder: string; left_ms: number }>(
    `SELECT holder, 1000 * extract(epoch FROM until - clock_timestamp()) AS left_ms FROM leadership`,
  );
  return {
    leftMs: row?.left_ms ?? 0,
    reason: `the control plane of ${row?.holder} leads on ${database.name}`,
  };
}
