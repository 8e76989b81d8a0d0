export type SqlValue = string | number | bigint | Uint8Array | null;

/**
 * A connection to a database, as the stores use it. Values take the places of `?`, or of `?1`, `?2`
 * where one of them has several; whole numbers come back as numbers, blobs as bytes. All errors are
 * StillhouseErrors.
 */
export interface SqlDatabase {
  /** For messages: where it is, without a password. */
  readonly name: string;
  /** Where the two differ, the stores have SQL for each. */
  readonly dialect: "sqlite" | "postgres";

  run(sql: string, ...values: SqlValue[]): { changes: number };
  get<Row>(sql: string, ...values: SqlValue[]): Row | undefined;
  all<Row>(sql: string, ...values: SqlValue[]): Row[];
  /** Runs statements without values. */
  exec(sql: string): void;
  /** Runs `action` in one transaction, the caller's if there is one: all is stored or nothing. */
  transaction<Result>(action: () => Result): Result;
  /** The version of the tables; 0 where there are none. */
  schemaVersion(): number;
  setSchemaVersion(version: number): void;
  /** Throws StorageFault where nothing can be written. */
  assertWritable(): void;
  close(): void;
}

/** A blob of a row as bytes, in whichever type the library returns it. */
export function bytesOf(blob: ArrayBuffer | Uint8Array): Uint8Array {
  return blob instanceof Uint8Array ? blob : new Uint8Array(blob);
}
