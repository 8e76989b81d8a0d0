import { invalid } from "../../errors.js";

/** Where a PostgreSQL database is. */
export interface PostgresAddress {
  readonly connectionString: string;
  /** For messages, without what may be secret. */
  readonly name: string;
}

/**
 * Reads `postgres://USER@HOST:PORT/DATABASE?sslmode=verify-full`. What it leaves out comes from the
 * environment, as for other clients of PostgreSQL; the password always does.
 *
 * @throws INVALID for another address, and for one with a password, which `ps` shows to everyone
 */
export function postgresAddress(text: string): PostgresAddress {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url?.protocol !== "postgres:" && url?.protocol !== "postgresql:") {
    throw invalid(
      "",
      `--store must be postgres://USER@HOST/DATABASE, got ${JSON.stringify(withoutSecrets(text))}`,
    );
  }
  if (url.password !== "" || url.searchParams.has("password")) {
    throw invalid(
      "",
      "--store must not contain a password, which other accounts of this machine can see; set PGPASSWORD or write ~/.pgpass",
    );
  }
  const host = url.searchParams.get("host") ?? decodeURIComponent(url.host);
  const user = url.username && `${decodeURIComponent(url.username)}@`;
  return { connectionString: text, name: `postgres://${user}${host}${url.pathname}` };
}

/** What stands between the colon and the at sign, or follows a word for it. */
function withoutSecrets(text: string): string {
  return text.replace(/:[^:@/]*@/, ":…@").replace(/(password=)[^&]*/, "$1…");
}
