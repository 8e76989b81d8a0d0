import { LineRate } from "../experiment/domain/line-rate.js";
import type { Log } from "../experiment/domain/ports.js";
import { RotatedFile } from "../logging/rotated-file.js";

/** Lines about callers without a token within ten seconds; further ones are only counted. */
const MAX_STRANGERS = 20;
const WINDOW_MS = 10_000;

/** One change, or an attempt at one. */
export interface AuditEntry {
  /** Name of the token; empty where none was needed. */
  readonly who: string;
  readonly role: string;
  /** Such as "CancelExperiment" or "token add". */
  readonly what: string;
  /** What was changed: the id of an experiment, a sweep or a worker, or a name. */
  readonly target: string;
  /** Address of the caller. */
  readonly from: string;
  /** "ok", or the kind of failure. */
  readonly result: string;
}

/** `HOME/logs/audit.log`: one JSON line per change. Strangers cannot fill it, see `LineRate`. */
export class AuditLog {
  readonly #file: RotatedFile;
  readonly #log: Pick<Log, "error">;
  readonly #strangers: LineRate;

  constructor(path: string, log: Pick<Log, "error">, windowMs = WINDOW_MS) {
    this.#file = new RotatedFile(path);
    this.#log = log;
    this.#strangers = new LineRate(MAX_STRANGERS, windowMs, (count, windowS) => {
      const result = `… and ${count} more attempts without a valid token in ${windowS} s`;
      this.#write({ who: "", role: "", what: "", target: "", from: "", result }, new Date());
    });
  }

  record(entry: AuditEntry, time = new Date()): void {
    const isStranger = entry.who === "" && entry.role === "";
    if (!isStranger || this.#strangers.passes()) this.#write(entry, time);
  }

  #write(entry: AuditEntry, time: Date): void {
    const line = `${JSON.stringify({ time: time.toISOString(), ...entry })}\n`;
    try {
      this.#file.append(line);
    } catch (error) {
      // The change has happened, so its caller must get the answer.
      this.#log.error(`the audit line ${line.trim()} was not stored: ${(error as Error).message}`);
    }
  }
}
