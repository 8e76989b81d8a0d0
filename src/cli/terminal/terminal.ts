import type { Writable } from "node:stream";
import pc from "picocolors";
import { PrintingOutput } from "./printing-output.js";

/** Where a command writes, and what that place can show. */
export interface Terminal {
  /** Results. */
  readonly stdout: Writable;
  /** Progress, notices and errors. */
  readonly stderr: Writable;
  /** The same stream, for writing cursor movements; callers must make foreign text printable. */
  readonly live: Writable;
  /** Width of the results in columns; undefined where stdout is no terminal. */
  readonly columns: number | undefined;
  /** Progress may move the cursor: stderr is a terminal that a person watches. */
  readonly isLive: boolean;
  readonly hasColor: { readonly stdout: boolean; readonly stderr: boolean };
}

/** A stream of the process; a terminal has a width. */
type Output = Writable & { readonly isTTY?: boolean; readonly columns?: number };

/**
 * Finds out what the streams can show.
 *
 * @param env `NO_COLOR` with any text switches colour off, `CI` the moving progress.
 */
export function terminalOf(
  stdout: Output,
  stderr: Output,
  env: { readonly NO_COLOR?: string | undefined; readonly CI?: string | undefined },
): Terminal {
  const wantsColor = !env.NO_COLOR;
  return {
    stdout: new PrintingOutput(stdout),
    stderr: new PrintingOutput(stderr),
    live: stderr,
    columns: stdout.isTTY ? stdout.columns : undefined,
    isLive: Boolean(stderr.isTTY) && !env.CI,
    hasColor: {
      stdout: wantsColor && Boolean(stdout.isTTY),
      stderr: wantsColor && Boolean(stderr.isTTY),
    },
  };
}

export type Colors = ReturnType<typeof pc.createColors>;

export function colorsOf(isEnabled: boolean): Colors {
  return pc.createColors(isEnabled);
}
