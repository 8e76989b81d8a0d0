import { pino } from "pino";
import { LineRate } from "../experiment/domain/line-rate.js";
import type { Log } from "../experiment/domain/ports.js";
import { RotatedFile, type RotationLimits } from "./rotated-file.js";

/** Far above what a busy control plane says; what others make it say is counted beyond it. */
const MAX_LINES = 500;
const WINDOW_MS = 10_000;

/** How much a log may hold. */
export interface LogLimits extends RotationLimits {
  /** Lines within a window. */
  readonly maxLines?: number;
  readonly windowMs?: number;
}

/**
 * Everything goes to a file of bounded size; what a person should know is also noted, without its
 * stack.
 */
export function processLog(
  path: string,
  showsTraces: boolean,
  note: (sentence: string) => void,
  { maxLines = MAX_LINES, windowMs = WINDOW_MS, ...rotation }: LogLimits = {},
): Log {
  const rotated = new RotatedFile(path, rotation);
  const file = pino({ level: "debug" }, { write: (line) => written(rotated, line) });
  const tell = (message: string) => note(showsTraces ? message : (message.split("\n")[0] ?? ""));
  const rate = new LineRate(maxLines, windowMs, (count, windowS) => {
    const message = `… and ${count} more lines in ${windowS} s`;
    file.warn(message);
    tell(message);
  });
  const said = (level: "info" | "warn" | "error") => (message: string) => {
    if (!rate.passes()) return;
    file[level](message);
    tell(message);
  };
  return {
    debug: (message) => rate.passes() && file.debug(message),
    info: said("info"),
    warn: said("warn"),
    error: said("error"),
  };
}

function written(file: RotatedFile, line: string): void {
  try {
    file.append(line);
  } catch {
    // A full disk shows where it matters: at the results.
  }
}
