import { invalid } from "../../errors.js";
import type { Options } from "../terminal/command-line.js";

/** The flag of every command that stores experiments, with what its help says. */
export const PRIORITY_FLAG = [
  "--priority <n>",
  "Tasks of a higher priority run first, -100 to 100 (default: 0)",
] as const;

/** @throws StillhouseError INVALID for what is no whole number; the server knows its range. */
export function priorityOf({ priority }: Options): number {
  if (priority === undefined) return 0;
  if (typeof priority === "string" && /^-?\d{1,9}$/.test(priority)) return Number(priority);
  throw invalid(
    "priority",
    `--priority must be a whole number from -100 to 100, got ${JSON.stringify(priority)}`,
  );
}
