import { type Worker, WorkerState } from "../../generated/page/stillhouse/v1/service.js";

export interface WorkerView {
  readonly id: string;
  readonly state: string;
  /** When it may get tasks again; undefined unless it is set aside. */
  readonly setAsideUntilMs: number | undefined;
  readonly host: string;
  readonly device: string;
  readonly deviceName: string;
  /** 0 to 1; undefined where the device does not report it. */
  readonly memoryShare: number | undefined;
  readonly memoryUsed: number;
  readonly memoryTotal: number;
  /** Bytes of the device that are promised to the tasks of all its workers. */
  readonly memoryPromised: number;
  /** 0 to 1. */
  readonly utilisation: number;
  readonly taskId: string;
  readonly experimentId: string;
  readonly lastSeenMs: number | undefined;
  readonly versions: Readonly<Record<string, string>>;
}

/** The command that connects a worker to this control plane, if it uses the default port. */
export function workerCommand({
  protocol,
  hostname,
}: Pick<Location, "protocol" | "hostname">): string {
  const keys = protocol === "https:" ? " --keys FOLDER" : "";
  return `npm run worker -- --connect tcp://${hostname}:8422${keys}`;
}

const STATES: Readonly<Record<WorkerState, string>> = {
  [WorkerState.UNSPECIFIED]: "",
  [WorkerState.STARTING]: "starting",
  [WorkerState.IDLE]: "idle",
  [WorkerState.BUSY]: "busy",
  [WorkerState.DRAINING]: "draining",
  [WorkerState.SET_ASIDE]: "set aside",
  [WorkerState.PENDING]: "pending",
  [WorkerState.UNRECOGNIZED]: "",
};

export function workerViews(workers: readonly Worker[]): WorkerView[] {
  return workers.map((worker) => {
    const { memoryUsedBytes: memoryUsed, memoryTotalBytes: memoryTotal } = worker;
    return {
      ...worker,
      state: STATES[worker.state],
      setAsideUntilMs: worker.setAsideUntil?.getTime(),
      memoryShare: memoryTotal === 0 ? undefined : memoryUsed / memoryTotal,
      memoryUsed,
      memoryTotal,
      memoryPromised: worker.memoryPromisedBytes,
      lastSeenMs: worker.lastHeardTime?.getTime(),
    };
  });
}
