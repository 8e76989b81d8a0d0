import { internal } from "../../errors.js";
import { LogLevel, type Task } from "../../generated/stillhouse/v1/experiment.js";
import type { ExperimentSpec } from "../../generated/stillhouse/v1/spec.js";
import type { ClientFolder } from "../../generated/stillhouse/v1/worker.js";
import { clientFoldersOf } from "../../settings/client-folder.js";
import { formatMebibytes } from "../../text/format.js";
import type { PoolSettings } from "../domain/launcher-ports.js";
import type { Clock, RunLog, WorkFolders } from "../domain/ports.js";
import {
  type ExperimentRecord,
  findTask,
  isDistill,
  memoriesOf,
  poolOf,
} from "../domain/record.js";
import type { ArtifactStore, CheckpointStore, ClientFolderStore } from "../domain/storage-ports.js";
import { leaseTask } from "../domain/transitions.js";
import type { WorkerPool } from "../domain/worker-ports.js";
import type { DeviceMemory } from "./device-memory.js";
import {
  type DeviceNeeds,
  deviceKind,
  deviceNeeds,
  devicesFor,
  specForWorker,
} from "./device-needs.js";
import type { LeaseClaims } from "./lease-claims.js";
import type { Lease, Leases } from "./leases.js";
import type { Ledger } from "./ledger.js";
import { Pace } from "./pace.js";
import { type Place, placeNamed, placeOf } from "./place.js";
import { memoryBytesOf, type ReadyTask } from "./ready-task.js";
import type { ReadyTasks } from "./ready-tasks.js";
import type { Roster, RosterEntry } from "./roster.js";
import type { TaskFaults } from "./task-faults.js";
import { areBounded, mostBytesIn } from "./wanted-launches.js";

export interface AssignerParts {
  readonly ledger: Ledger;
  readonly leases: Leases;
  readonly claims: LeaseClaims;
  readonly roster: Roster;
  readonly ready: ReadyTasks;
  readonly memory: DeviceMemory;
  readonly pool: WorkerPool;
  readonly artifacts: ArtifactStore;
  readonly workFolders: WorkFolders;
  readonly checkpoints: Pick<CheckpointStore, "newest">;
  readonly folders: Pick<ClientFolderStore, "pathOf">;
  readonly runLog: RunLog;
  readonly clock: Clock;
  readonly faults: TaskFaults;
  readonly pools: readonly PoolSettings[];
}

/** Gives ready tasks to idle workers whose devices have room for them. */
export class Assigner {
  readonly #parts: AssignerParts;
  readonly #toldOf = new WeakSet<ReadyTask>();
  /** A lease waits for the disk, and thousands in a row would keep hellos and heartbeats unread. */
  readonly #pace: Pace;

  constructor(parts: AssignerParts) {
    this.#parts = parts;
    this.#pace = new Pace(() => parts.clock.monotonicMs());
  }

  /**
   * Goes through the workers that have this kind of device.
   *
   * @returns after how many milliseconds it has to be called again to do the rest; 0: never
   */
  assign(kind: string): number {
    const { roster, ready } = this.#parts;
    for (const worker of roster.idleWorkers(kind)) {
      if (ready.numReadyByKind().get(kind) === 0) return 0;
      const pauseMs = this.#pace.pauseMs();
      if (pauseMs > 0) return pauseMs;
      this.#pace.spend(() => this.#giveOne(kind, worker));
    }
    return 0;
  }

  /** A task that cannot be given away fails, and the next has its turn. */
  #giveOne(kind: string, worker: RosterEntry): void {
    const { ready, memory, faults } = this.#parts;
    const roomFor = (needs: DeviceNeeds) => memory.roomOn(placesFor(needs, worker));
    for (;;) {
      const task = ready.nextTask(kind, roomFor);
      if (task === undefined) return;
      if (faults.attempt("giving it to a worker", task, () => this.#lease(task, worker))) return;
    }
  }

  /** The worker has held this task since before the control plane was restarted. */
  keepRoom(worker: RosterEntry, { taskId, experimentId }: Lease): void {
    const { memory, ledger } = this.#parts;
    const record = ledger.record(experimentId);
    const needs = deviceNeeds(record.experiment.spec, isDistill(requiredTask(record, taskId)));
    memory.promise(placesFor(needs, worker), taskId, memoryBytesOf(record.experiment));
  }

  /** Logs once per task why it waits if no worker has enough for it, and no pool starts one. */
  tellOfTooLarge(): void {
    const { roster, ready, memory } = this.#parts;
    for (const kind of ready.numReadyByKind().keys()) {
      const workers = roster
        .workers()
        .filter(({ device, hello }) => hello && deviceKind(device) === kind);
      if (workers.length === 0 && !areBounded(this.#parts.pools)) continue;
      const mostBytesFor = (task: ReadyTask) =>
        Math.max(
          ...workers.map((worker) => memory.roomOn(placesFor(task, worker)).capacityBytes),
          ...this.#parts.pools.map((pool) => mostBytesIn(pool, task)),
        );
      for (const task of ready.oversizedTasks(kind, mostBytesFor)) {
        const mostBytes = mostBytesFor(task);
        const text =
          workers.length > 0 ? tooLarge(task, kind, mostBytes) : nowhere(task, mostBytes);
        const tell = () => this.#tell(task, text);
        this.#parts.faults.attempt("logging why it waits", task, tell);
      }
    }
  }

  #tell(ready: ReadyTask, message: string): void {
    if (this.#toldOf.has(ready)) return;
    this.#toldOf.add(ready);
    const { ledger, clock } = this.#parts;
    const task = requiredTask(ledger.record(ready.experimentId), ready.taskId);
    const time = clock.now();
    ledger.appendLog(task, { level: LogLevel.WARNING, message, time });
  }

  #lease(ready: ReadyTask, worker: RosterEntry): void {
    const { taskId, experimentId, memoryBytes } = ready;
    const { ledger, leases, claims, roster, memory, pool } = this.#parts;
    const { artifacts, workFolders, runLog } = this.#parts;
    const { workerId } = worker;
    const workDir = workFolders.prepare(taskId);
    const before = requiredTask(ledger.record(experimentId), taskId);
    // Before the attempt is stored: one that was stored has a secret, whenever this process dies.
    const secret = claims.issue(taskId, before.attempt + 1);
    const record = ledger.update(experimentId, (before, now) =>
      leaseTask(before, taskId, now, workerId),
    );
    const { attempt, work, begunAnewAt } = requiredTask(record, taskId);
    leases.grant({ taskId, experimentId, attempt, workerId });
    memory.promise(placesFor(ready, worker), taskId, memoryBytes);
    roster.markBusy(workerId);
    const kind = work?.kind;
    const artifactPath = kind?.$case === "evaluate" ? artifacts.pathOf(kind.value.artifactId) : "";
    const spec = specForWorker(record.experiment.spec, ready, placeOf(worker).device);
    const runDir = runLog.folderOf(experimentId);
    const lease = { taskId, attempt, experimentId, secret };
    const checkpoints = attempt === 1 ? [] : this.#parts.checkpoints.newest(taskId);
    const stored = (artifactId: string) => ({ artifactId, path: artifacts.pathOf(artifactId) });
    const value = {
      ...lease,
      spec,
      work,
      workDir,
      artifactPath,
      runDir,
      checkpoints,
      begunAnewAt,
      folders: this.#foldersOf(record.experiment.spec),
      pool: poolOf(record, before).map(stored),
      memories: memoriesOf(record, before).map(stored),
    };
    pool.send(workerId, { $case: "assign", value });
  }

  #foldersOf(spec: ExperimentSpec | undefined): ClientFolder[] {
    const { folders } = this.#parts;
    return clientFoldersOf(spec).map((folderId) => ({ folderId, path: folders.pathOf(folderId) }));
  }
}

function tooLarge({ memoryBytes }: ReadyTask, kind: string, mostBytes: number): string {
  return (
    `It waits for a device with ${formatMebibytes(memoryBytes)} of memory (--memory); ` +
    `the largest ${kind} device of the workers has ${formatMebibytes(mostBytes)} for tasks.`
  );
}

/** @param mostBytes what a worker of the pools has at most; below 0: none has such devices */
function nowhere({ device, numDevices, memoryBytes }: ReadyTask, mostBytes: number): string {
  const devices = numDevices === 1 ? device : `${numDevices} × ${device}`;
  if (mostBytes < 0) return `It waits for a worker with ${devices}, which no pool starts.`;
  return (
    `It waits for a worker with ${formatMebibytes(memoryBytes)} of memory (--memory); ` +
    `the largest that a pool starts has ${formatMebibytes(mostBytes)}.`
  );
}

/** Where a task computes when this worker has it. */
function placesFor(needs: DeviceNeeds, worker: RosterEntry): Place[] {
  const { device } = placeOf(worker);
  return devicesFor(needs, device).map((used) => placeNamed(worker, used));
}

function requiredTask(record: ExperimentRecord, taskId: string): Task {
  const entry = findTask(record, taskId);
  if (entry) return entry.task;
  throw internal(`task ${taskId} is ready, but its experiment does not have it`);
}
