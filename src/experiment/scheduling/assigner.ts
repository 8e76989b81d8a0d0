import { internal } from "../../errors.js";
import { LogLevel, type Task } from "../../generated/stillhouse/v1/experiment.js";
import type { ExperimentSpec } from "../../generated/stillhouse/v1/spec.js";
import type { ClientFolder, TeamStore } from "../../generated/stillhouse/v1/worker.js";
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
import type { DeviceMemory, Room } from "./device-memory.js";
import {
  type DeviceNeeds,
  deviceKind,
  deviceNeeds,
  devicesFor,
  needsOfMember,
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
import { mayHold, NO_ROOM, Seating } from "./seating.js";
import type { TaskFaults } from "./task-faults.js";
import { seatAt, taskOf } from "./team-seat.js";
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
    const seating = new Seating(kind, this.#parts);
    for (const { workerId } of roster.idleWorkers(kind)) {
      if (ready.numReadyByKind().get(kind) === 0) return 0;
      const pauseMs = this.#pace.pauseMs();
      if (pauseMs > 0) return pauseMs;
      this.#pace.spend(() => this.#giveOne(kind, workerId, seating));
    }
    return 0;
  }

  /** A task that cannot be given away fails, and the next has its turn; as has one for a team. */
  #giveOne(kind: string, workerId: string, seating: Seating): void {
    const { ready, roster, faults } = this.#parts;
    for (;;) {
      const worker = roster.find(workerId);
      if (worker === undefined || !roster.isFree(worker)) return;
      const task = ready.nextTask(kind, (needs) => this.#roomFor(needs, worker, seating));
      if (task === undefined) return;
      const team = seating.isForTeam(task) ? seating.workersFor(task) : [worker];
      faults.attempt("giving it to a worker", task, () => this.#lease(task, team));
      seating.refresh();
    }
  }

  #roomFor(task: ReadyTask, worker: RosterEntry, seating: Seating): Room {
    if (seating.isForTeam(task)) return seating.roomFor(task, worker);
    if (task.numDevices > 1 && !mayHold(worker, task)) return NO_ROOM;
    return this.#parts.memory.roomOn(placesFor(task, worker));
  }

  /** The worker has held this task since before the control plane was restarted. */
  keepRoom(worker: RosterEntry, lease: Lease): void {
    const { memory, ledger } = this.#parts;
    const record = ledger.record(lease.experimentId);
    const all = deviceNeeds(record.experiment.spec, isDistill(requiredTask(record, taskOf(lease))));
    const needs = lease.team ? needsOfMember(all) : all;
    memory.promise(placesFor(needs, worker), lease.taskId, memoryBytesOf(record.experiment));
  }

  /** The leader of a team says where the others are to come; until then they wait. */
  seat(lease: Lease, store: TeamStore): void {
    const { ledger, leases, claims, roster, pool, faults, workFolders } = this.#parts;
    faults.attempt("giving it to a team", lease, () => {
      const { attempt, experimentId, team } = lease;
      const record = ledger.record(experimentId);
      const task = requiredTask(record, lease.taskId);
      const workDir = workFolders.prepare(task.id);
      for (const member of leases.membersOf(lease)) {
        const worker = roster.find(member.workerId);
        if (worker === undefined) continue;
        const secret = claims.issue(member.taskId, attempt);
        const { rank = 0 } = member.team ?? {};
        const own = { taskId: member.taskId, secret, team: { rank, size: team?.size ?? 1, store } };
        const value = { ...this.#assignment(record, task, worker, true), workDir, ...own };
        pool.send(member.workerId, { $case: "assign", value });
      }
    });
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

  /** @param workers those of a team, of which the first leads, or one alone */
  #lease(ready: ReadyTask, workers: readonly RosterEntry[]): void {
    const { taskId, experimentId, memoryBytes } = ready;
    const { ledger, leases, claims, roster, memory, pool, workFolders } = this.#parts;
    // Before anything else: a task whose folder cannot be made has no attempt, and no worker waits.
    const workDir = workFolders.prepare(taskId);
    const [workerId = "", ...memberIds] = workers.map((worker) => worker.workerId);
    const before = requiredTask(ledger.record(experimentId), taskId);
    // Before the attempt is stored: one that was stored has a secret, whenever this process dies.
    const secret = claims.issue(taskId, before.attempt + 1);
    const record = ledger.update(experimentId, (before, now) =>
      leaseTask(before, taskId, now, workerId, memberIds),
    );
    const task = requiredTask(record, taskId);
    const { attempt } = task;
    const size = workers.length;
    const needs = size > 1 ? needsOfMember(ready) : ready;
    workers.forEach((worker, rank) => {
      const seat = seatAt(taskId, rank, size);
      leases.grant({ ...seat, experimentId, attempt, workerId: worker.workerId });
      memory.promise(placesFor(needs, worker), seat.taskId, memoryBytes);
      roster.markBusy(worker.workerId);
    });
    const team = size > 1 ? { rank: 0, size, store: undefined } : undefined;
    const [leader] = workers;
    if (leader === undefined) throw internal(`task ${taskId} was to be given to no worker`);
    const told = this.#assignment(record, task, leader, size > 1);
    const value = { ...told, workDir, taskId, secret, team };
    pool.send(workerId, { $case: "assign", value });
  }

  /** What a worker is told of a task beside its own lease. */
  #assignment(record: ExperimentRecord, task: Task, worker: RosterEntry, isInTeam: boolean) {
    const { artifacts, runLog, checkpoints } = this.#parts;
    const { id: taskId, experimentId, attempt, work, begunAnewAt } = task;
    const needs = deviceNeeds(record.experiment.spec, isDistill(task));
    const { device } = placeOf(worker);
    const kind = work?.kind;
    const stored = (artifactId: string) => ({ artifactId, path: artifacts.pathOf(artifactId) });
    return {
      attempt,
      experimentId,
      spec: specForWorker(record.experiment.spec, isInTeam ? needsOfMember(needs) : needs, device),
      work,
      artifactPath: kind?.$case === "evaluate" ? artifacts.pathOf(kind.value.artifactId) : "",
      runDir: runLog.folderOf(experimentId),
      checkpoints: attempt === 1 ? [] : checkpoints.newest(taskId),
      begunAnewAt,
      folders: this.#foldersOf(record.experiment.spec),
      pool: poolOf(record, task).map(stored),
      memories: memoriesOf(record, task).map(stored),
    };
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
