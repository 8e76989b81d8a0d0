import { userInfo } from "node:os";
import { join, resolve } from "node:path";
import { createInterface } from "node:readline/promises";
import { fileURLToPath } from "node:url";
import { createInterruption, type Interruption } from "../cli/terminal/interruption.js";
import { type Terminal, terminalOf } from "../cli/terminal/terminal.js";
import { isOfNpm, listenForEnd, type Start } from "../setup/ending.mjs";
import { pythonPath } from "../setup/python-environment.mjs";
import type { PythonBridge } from "../worker/bridge.js";

export const PROJECT = fileURLToPath(new URL("../..", import.meta.url));

/** The composition root: everything that comes from outside the program enters here. */
export interface Surroundings {
  readonly terminal: Terminal;
  readonly interruption: Interruption;
  readonly pythonPath: string;
  /** Python that runs already; default: one for each command that asks it something. */
  readonly python?: PythonBridge;
  /** Folder of experiments and artifacts. */
  readonly home: string;
  /** Folder that relative paths start from. */
  readonly userFolder: string;
  readonly dataDir: string | undefined;
  /** Bearer token for a server. */
  readonly token: string | undefined;
  /** Whether a defect is shown with its place in the code. */
  readonly showsTraces: boolean;
}

export function surroundingsOf(command: string, parent: number): Surroundings {
  const { env } = process;
  // npm runs scripts in the project's folder and says in INIT_CWD where the user is.
  const userFolder = isOfNpm(env, command) ? (env.INIT_CWD ?? "") : process.cwd();
  const folder = (path: string | undefined) => (path ? resolve(userFolder, path) : undefined);
  return {
    terminal: terminalOf(tolerant(process.stdout), tolerant(process.stderr), env),
    interruption: interruptionOfProcess({ env, script: command, parent }),
    pythonPath: pythonPath(PROJECT),
    home: folder(env.STILLHOUSE_HOME) ?? join(PROJECT, ".stillhouse"),
    userFolder,
    dataDir: folder(env.STILLHOUSE_DATA_DIR),
    token: env.STILLHOUSE_TOKEN || undefined,
    showsTraces: Boolean(env.STILLHOUSE_DEBUG),
  };
}

/** A reader that has ended, such as `head`, or a closed terminal is no reason to end a run. */
function tolerant(stream: NodeJS.WriteStream): NodeJS.WriteStream {
  return stream.on("error", () => undefined);
}

function interruptionOfProcess(start: Start): Interruption {
  const interruption = createInterruption();
  listenForEnd(start, () => interruption.press());
  return interruption;
}

export function noteOn({ stderr }: Terminal): (sentence: string) => void {
  return (sentence) => stderr.write(`${sentence}\n`);
}

export async function askedAtTerminal(question: string): Promise<string | undefined> {
  if (!process.stdin.isTTY) return undefined;
  const lines = createInterface({ input: process.stdin, output: process.stderr });
  const closed = new Promise<undefined>((resolve) => lines.once("close", () => resolve(undefined)));
  try {
    return await Promise.race([lines.question(question), closed]);
  } finally {
    lines.close();
  }
}

/** Name of the person at the terminal. A container may run as a user without a name. */
export function accountName(): string {
  try {
    return userInfo().username;
  } catch {
    return `uid ${process.getuid?.()}`;
  }
}
