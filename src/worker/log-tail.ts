import { closeSync, fstatSync, openSync, readSync } from "node:fs";

const TAIL_BYTES = 4096;
const TAIL_LINES = 20;

/** Last lines of a log; empty when there is none. */
export function logTail(path: string): string {
  let file: number;
  try {
    file = openSync(path, "r");
  } catch {
    return ""; // A process that could not even be started has written nothing.
  }
  try {
    const { size } = fstatSync(file);
    const buffer = Buffer.alloc(Math.min(size, TAIL_BYTES));
    readSync(file, buffer, 0, buffer.length, size - buffer.length);
    return buffer.toString("utf8").trimEnd().split("\n").slice(-TAIL_LINES).join("\n");
  } finally {
    closeSync(file);
  }
}
