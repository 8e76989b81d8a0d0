import { makeHome } from "../../../src/store/home.js";
import { postgresAddress } from "../../../src/store/postgres/address.js";
import { Leadership } from "../../../src/store/postgres/leadership.js";
import { openDatabase } from "../../../src/store/schema.js";
import type { SqlDatabase } from "../../../src/store/sql-database.js";
import { missingPostgres, PostgresServer } from "../../fixtures/postgres.js";

/** A lease that no use outlasts. */
const USE_MS = 300_000;

let server: PostgresServer | undefined;
const addresses = new Map<string, string>();

/** Measures on a server of PostgreSQL that ends with the process, whose commits reach the disk. */
export async function measureOnPostgres(): Promise<void> {
  const missing = missingPostgres();
  if (missing !== undefined) throw new Error(missing);
  server = await PostgresServer.startAlone();
}

export async function stopServer(): Promise<void> {
  await server?.stop();
}

/** Makes the place where the experiments of a new home go. */
export async function storeFor(home: string): Promise<void> {
  if (server) addresses.set(home, await server.database());
}

/** Where the experiments of a home are; undefined: in the home. */
export function storeOf(home: string): string | undefined {
  return addresses.get(home);
}

/**
 * Uses the database of a home.
 *
 * @param waitsForDisk whether commits do; filling a home would take minutes, and nothing in it has
 *   to survive a power cut
 */
export async function onDatabase(
  home: string,
  waitsForDisk: boolean,
  use: (database: SqlDatabase) => void,
): Promise<void> {
  const paths = makeHome(home);
  const address = addresses.get(home);
  if (address === undefined) {
    const file = openDatabase(paths.database);
    if (!waitsForDisk) file.pragma("synchronous = OFF");
    use(file);
    file.close();
    return;
  }
  const leadership = await Leadership.stand({
    ...{ address: postgresAddress(address), paths, leaseMs: USE_MS },
    ...{ note: console.error, stop: new AbortController().signal },
  });
  const { main, secrets } = leadership.databases;
  use(waitsForDisk ? main : secrets);
  leadership.release();
}
