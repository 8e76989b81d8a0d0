import { constants } from "node:fs";
import { access, statfs } from "node:fs/promises";
import { z } from "zod";
import { toFailure } from "../../errors.js";
import { makeFolder } from "../../make-folder.js";
import { connectionsWithin } from "../../security/connection-limits.js";
import { formatBytes, formatCount } from "../../text/format.js";

export const checksSchema = z.object({
  checks: z.array(
    z.object({
      name: z.string(),
      status: z.enum(["ok", "warning", "error"]),
      detail: z.string(),
      remedy: z.string(),
    }),
  ),
});

/** One line of the report. */
export type Check = z.infer<typeof checksSchema>["checks"][number];

const OLDEST_NODE = 20;
/** Less than this is soon full of checkpoints and artifacts. */
const ENOUGH_DISK_BYTES = 1024 ** 3;

/** Fewer places for workers are soon taken. */
const ENOUGH_WORKERS = 64;

/** @param version such as "20.11.0". */
export function checkNode(version: string): Check {
  const isNewEnough = Number.parseInt(version, 10) >= OLDEST_NODE;
  return {
    name: "Node",
    status: isNewEnough ? "ok" : "error",
    detail: version,
    remedy: isNewEnough ? "" : `install Node ${OLDEST_NODE} or newer from https://nodejs.org`,
  };
}

/** How many workers `serve` admits. @param limit files that a process of Node may have open */
export function checkOpenFiles(limit: number): Check {
  const { workers } = connectionsWithin(limit);
  const detail = `${formatCount(limit)}, enough for ${formatCount(workers)} workers of serve`;
  if (workers >= ENOUGH_WORKERS) return { name: "Open files", status: "ok", detail, remedy: "" };
  const remedy = "raise the hard limit (ulimit -Hn, LimitNOFILE= of systemd) for more workers";
  return { name: "Open files", status: "warning", detail, remedy };
}

/** Whether experiments can be stored: the folder can be made and written, and its disk has room. */
export async function checkHome(home: string): Promise<Check> {
  const remedy = "set STILLHOUSE_HOME to a writable folder";
  try {
    makeFolder(home);
    await access(home, constants.W_OK | constants.X_OK);
    const { bavail, bsize } = await statfs(home);
    const detail = `${home}, ${formatBytes(bavail * bsize)} free`;
    if (bavail * bsize >= ENOUGH_DISK_BYTES) {
      return { name: "Home", status: "ok", detail, remedy: "" };
    }
    return { name: "Home", status: "warning", detail, remedy: "free some space" };
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? toFailure(error).message;
    const detail = `${home} cannot be written (${code})`;
    return { name: "Home", status: "error", detail, remedy };
  }
}

/** @param runningAt finds the address of the control plane that holds the home, if there is one. */
export async function checkControlPlane(
  runningAt: () => Promise<string | undefined>,
): Promise<Check> {
  try {
    const address = await runningAt();
    const detail = address === undefined ? "none is running" : `running at ${address}`;
    return { name: "Control plane", status: "ok", detail, remedy: "" };
  } catch (error) {
    // The sentence says what to do: end a process, name a server, or choose another home.
    const detail = toFailure(error).message;
    return { name: "Control plane", status: "error", detail, remedy: "" };
  }
}

/** @param inspect asks Python for its own checks. */
export async function checkPython(inspect: () => Promise<unknown>): Promise<Check[]> {
  try {
    return checksSchema.parse(await inspect()).checks;
  } catch (error) {
    const detail = toFailure(error).message;
    return [{ name: "Python environment", status: "error", detail, remedy: "npm run setup" }];
  }
}
