import type { Worker } from "../../generated/stillhouse/v1/service.js";
import { millis, type Wire } from "../server/wire.js";

export interface WorkerView {
  readonly id: string;
  readonly state: string;
  /** When it may get tasks again that it gets none of now. */
  readonly setAsideUntilMs: number | undefined;
  readonly host: string;
  readonly device: string;
  readonly deviceName: string;
  /** 0 to 1; undefined where the device does not say. */
  readonly memoryShare: number | undefined;
  readonly memoryUsed: number;
  readonly memoryTotal: number;
  /** Of the device: what the tasks of all its workers are given. */
  readonly memoryPromised: number;
  /** 0 to 1. */
  readonly utilisation: number;
  readonly taskId: string;
  readonly experimentId: string;
  readonly lastHeardMs: number | undefined;
  readonly versions: Readonly<Record<string, string>>;
}

/** What starts a worker of this control plane, where it listens as `serve` does by itself. */
export function workerCommand({
  protocol,
  hostname,
}: Pick<Location, "protocol" | "hostname">): string {
  const keys = protocol === "https:" ? " --keys FOLDER" : "";
  return `npm run worker -- --connect tcp://${hostname}:8422${keys}`;
}

export function workerViews(workers: readonly Wire<Worker>[]): WorkerView[] {
  return workers.map((worker) => {
    const memoryUsed = Number(worker.memoryUsedBytes ?? 0);
    const memoryTotal = Number(worker.memoryTotalBytes ?? 0);
    return {
      id: worker.id ?? "",
      state: (worker.state ?? "").replace("WORKER_STATE_", "").toLowerCase().replace("_", " "),
      setAsideUntilMs: millis(worker.setAsideUntil),
      host: worker.host ?? "",
      device: worker.device ?? "",
      deviceName: worker.deviceName ?? "",
      memoryShare: memoryTotal === 0 ? undefined : memoryUsed / memoryTotal,
      memoryUsed,
      memoryTotal,
      memoryPromised: Number(worker.memoryPromisedBytes ?? 0),
      utilisation: worker.utilisation ?? 0,
      taskId: worker.taskId ?? "",
      experimentId: worker.experimentId ?? "",
      lastHeardMs: millis(worker.lastHeardTime),
      versions: (worker.versions ?? {}) as Readonly<Record<string, string>>,
    };
  });
}
