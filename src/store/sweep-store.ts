import { fitting, pageKeyOf, pageToken } from "../experiment/domain/page-token.js";
import type { SweepStore } from "../experiment/domain/storage-ports.js";
import { type ListSweepsResponse, Sweep } from "../generated/stillhouse/v1/service.js";
import { stateOf } from "./experiment-columns.js";
import { requestKey } from "./request-key.js";
import type { SqlDatabase } from "./sql-database.js";
import { readMessage } from "./unreadable-row.js";

interface SweepRow {
  number: number;
  id: string;
  message: Uint8Array;
}

const LIST = "sweeps, newest first";

/** Sweeps in SQLite, in the same file as their experiments. */
export class SqliteSweepStore implements SweepStore {
  readonly #file: SqlDatabase;

  constructor(file: SqlDatabase) {
    this.#file = file;
  }

  createSweep(sweep: Sweep, requestId: string): void {
    this.#file.run(
      "INSERT INTO sweeps (id, request_id, message) VALUES (?, ?, ?)",
      sweep.id,
      requestKey(sweep.owner, requestId),
      Sweep.encode(sweep).finish(),
    );
  }

  updateSweep(sweep: Sweep): void {
    const { experimentIds: _, counts: __, ...own } = sweep;
    const message = Sweep.encode(Sweep.fromPartial(own)).finish();
    this.#file.run("UPDATE sweeps SET message = ? WHERE id = ?", message, sweep.id);
  }

  findSweep(sweepId: string): Sweep | undefined {
    return this.#one("SELECT number, id, message FROM sweeps WHERE id = ?", sweepId);
  }

  maxParallelOf(sweepId: string): number {
    const sql = "SELECT number, id, message FROM sweeps WHERE id = ?";
    const row = this.#file.get<SweepRow>(sql, sweepId);
    return row === undefined ? 0 : ownOf(row).maxParallel;
  }

  findSweepByRequest(requestId: string, owner: string): Sweep | undefined {
    // Earlier versions stored a request id without its owner.
    const rows = this.#file.all<SweepRow>(
      "SELECT number, id, message FROM sweeps WHERE request_id IN (?, ?)",
      requestKey(owner, requestId),
      requestId,
    );
    return rows.map((row) => this.#sweep(row)).find((sweep) => sweep.owner === owner);
  }

  listSweeps(pageSize: number, token: string): ListSweepsResponse {
    const [before = Number.MAX_SAFE_INTEGER] = pageKeyOf(LIST, token, 1) ?? [];
    const rows = this.#file.all<SweepRow>(
      "SELECT number, id, message FROM sweeps WHERE number < ? ORDER BY number DESC LIMIT ?",
      before,
      pageSize + 1,
    );
    const page = fitting(
      this.#sweeps(rows),
      pageSize,
      ({ sweep }) => Sweep.encode(sweep).finish().length,
    );
    const last = page.at(-1);
    return {
      sweeps: page.map(({ sweep }) => sweep),
      nextPageToken: last && rows.length > page.length ? pageToken(LIST, [last.number]) : "",
    };
  }

  /** Reads the sweeps one by one, until the page is full. */
  *#sweeps(rows: readonly SweepRow[]): Generator<{ number: number; sweep: Sweep }, void> {
    for (const row of rows) yield { number: row.number, sweep: this.#sweep(row) };
  }

  #one(sql: string, value: string): Sweep | undefined {
    const row = this.#file.get<SweepRow>(sql, value);
    return row && this.#sweep(row);
  }

  /** A sweep with its experiments as they are now. */
  #sweep(row: SweepRow): Sweep {
    const sweep = ownOf(row);
    const rows = this.#file.all<{ id: string; state: string }>(
      `SELECT id, state FROM experiments WHERE sweep_id = ? AND sweep_id <> ''
       ORDER BY number`,
      sweep.id,
    );
    const counts = new Map<string, number>();
    for (const { state } of rows) counts.set(state, (counts.get(state) ?? 0) + 1);
    return {
      ...sweep,
      experimentIds: rows.map(({ id }) => id),
      counts: [...counts].sort().map(([state, count]) => ({ state: stateOf(state), count })),
    };
  }
}

/** What is stored of a sweep itself. */
function ownOf({ id, message }: SweepRow): Sweep {
  const read = readMessage(Sweep, message, (found) => found.id === id);
  // An unreadable sweep keeps its id, so that its experiments run and are found.
  return typeof read === "string" ? unreadable(id) : read;
}

function unreadable(id: string): Sweep {
  return Sweep.fromPartial({ id, name: `(row ${id} of the table sweeps cannot be read)` });
}
