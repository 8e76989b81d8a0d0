import { invalid } from "../../errors.js";
import { Worker } from "../../generated/stillhouse/v1/service.js";
import { formatBytes, formatDuration, formatPercent } from "../../text/format.js";
import { Table } from "../terminal/table.js";
import type { Shape } from "./command.js";
import { fullWorkerId, printJson, type Session } from "./session.js";
import { ageText } from "./state-words.js";

export const WORKERS: Shape = {
  name: "workers",
  argument: "[drain] [id...]",
  description: "Lists the workers, or lets them finish their tasks and leave: workers drain ID…",
};

/** The subcommand `workers`. */
export async function workers(session: Session, words: readonly string[]): Promise<number> {
  const [action, ...ids] = words;
  const { connection } = session;
  if (action !== undefined) {
    if (action !== "drain") {
      throw invalid("", `workers takes drain ID…, got ${JSON.stringify(action)}`);
    }
    if (ids.length === 0) throw invalid("", "which worker? Give its id: workers drain ID");
    for (const word of ids) {
      const id = await fullWorkerId(session, word);
      await connection.call((client) => client.drainWorker(id));
      if (!session.isJson) session.terminal.stdout.write(`${id}  draining\n`);
    }
  }
  if (action !== undefined && !session.isJson) return 0;
  const found = await connection.call((client) => client.workers());
  if (session.isJson) printJson(session, { workers: found.map((worker) => Worker.toJSON(worker)) });
  else if (found.length === 0) session.note("There are no workers");
  else session.terminal.stdout.write(`${table(found, new Date())}\n`);
  return 0;
}

function table(found: readonly Worker[], now: Date): string {
  const rows = new Table({
    head: ["id", "state", "host", "device", "memory", "busy", "task", "last seen"],
    style: { head: [], border: [] },
  });
  for (const worker of found) {
    const { id, host, device, deviceName, taskId, lastHeardTime } = worker;
    rows.push([
      id,
      stateText(worker, now),
      host,
      deviceName === "" || deviceName === device ? device : `${device}, ${deviceName}`,
      memoryText(worker),
      worker.utilisation === 0 ? "" : `${formatPercent(worker.utilisation)} %`,
      taskId,
      ageText(lastHeardTime, now),
    ]);
  }
  return rows.toString();
}

function stateText({ state, setAsideUntil }: Worker, now: Date): string {
  const word = state.replace("WORKER_STATE_", "").toLowerCase().replaceAll("_", " ");
  if (setAsideUntil === undefined) return word;
  const seconds = Math.max(0, (setAsideUntil.getTime() - now.getTime()) / 1000);
  return `${word} for ${formatDuration(seconds)}`;
}

function memoryText({ memoryUsedBytes, memoryTotalBytes, memoryPromisedBytes }: Worker): string {
  if (memoryTotalBytes === 0n) return "";
  const used = `${formatBytes(memoryUsedBytes)} of ${formatBytes(memoryTotalBytes)}`;
  return memoryPromisedBytes === 0n ? used : `${used}, ${formatBytes(memoryPromisedBytes)} given`;
}
