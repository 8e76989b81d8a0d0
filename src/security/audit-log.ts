import { appendFileSync } from "node:fs";
import type { Log } from "../experiment/ports.js";

/** One change, or an attempt at one. */
export interface AuditEntry {
  /** Name of the token; empty where none was needed. */
  readonly who: string;
  readonly role: string;
  /** Such as "CancelExperiment" or "token add". */
  readonly what: string;
  /** What it was done to: the id of an experiment, of a sweep, of a worker; a name. */
  readonly target: string;
  /** Address of the caller. */
  readonly from: string;
  /** "ok", or the kind of failure. */
  readonly result: string;
}

/** `HOME/logs/audit.log`: a JSON line for each change. */
export class AuditLog {
  readonly #path: string;
  readonly #log: Pick<Log, "error">;

  constructor(path: string, log: Pick<Log, "error">) {
    this.#path = path;
    this.#log = log;
  }

  record(entry: AuditEntry, time = new Date()): void {
    const line = `${JSON.stringify({ time: time.toISOString(), ...entry })}\n`;
    try {
      appendFileSync(this.#path, line, { mode: 0o600 });
    } catch (error) {
      // The change has happened; not to tell its caller so would be wrong.
      this.#log.error(`the audit line ${line.trim()} was not stored: ${(error as Error).message}`);
    }
  }
}
