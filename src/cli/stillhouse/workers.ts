import { invalid } from "../../errors.js";
import { Worker, WorkerPool } from "../../generated/stillhouse/v1/service.js";
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
  const pools = await connection.call((client) => client.pools());
  if (session.isJson) {
    const documents = found.map((worker) => Worker.toJSON(worker));
    printJson(session, { workers: documents, pools: pools.map((pool) => WorkerPool.toJSON(pool)) });
    return 0;
  }
  const now = new Date();
  if (found.length === 0) session.note("There are no workers");
  else session.terminal.stdout.write(`${table(found, now)}\n`);
  for (const pool of pools.filter(isTold)) session.note(poolText(pool, now));
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

/** That of this machine is known from the command line, unless it has a fault. */
function isTold({ name, fault }: WorkerPool): boolean {
  return name !== "local" || fault !== "";
}

function poolText(pool: WorkerPool, now: Date): string {
  const { name, maxWorkers, numPending, numRunning, fault, retryTime } = pool;
  const counts = `${numRunning} running and ${numPending} pending of at most ${maxWorkers}`;
  const seconds = Math.max(0, ((retryTime?.getTime() ?? 0) - now.getTime()) / 1000);
  const trouble = fault === "" ? "" : `; asks again in ${formatDuration(seconds)}, since ${fault}`;
  return `Pool ${name}: ${counts}${trouble}`;
}

function stateText({ state, reason, setAsideUntil }: Worker, now: Date): string {
  const word = state.replace("WORKER_STATE_", "").toLowerCase().replaceAll("_", " ");
  if (reason !== "") return `${word} (${reason})`;
  if (setAsideUntil === undefined) return word;
  const seconds = Math.max(0, (setAsideUntil.getTime() - now.getTime()) / 1000);
  return `${word} for ${formatDuration(seconds)}`;
}

function memoryText({ memoryUsedBytes, memoryTotalBytes, memoryPromisedBytes }: Worker): string {
  if (memoryTotalBytes === 0n) return "";
  const used = `${formatBytes(memoryUsedBytes)} of ${formatBytes(memoryTotalBytes)}`;
  return memoryPromisedBytes === 0n ? used : `${used}, ${formatBytes(memoryPromisedBytes)} given`;
}
