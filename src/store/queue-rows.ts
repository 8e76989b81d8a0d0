import type {
  AwaitingTask,
  QueuedExperiment,
  QueuedTask,
  QueueStore,
  Standing,
  TaskCount,
} from "../experiment/domain/queue-ports.js";
import { State } from "../generated/stillhouse/v1/experiment.js";
import { stateOf } from "./experiment-columns.js";
import type { SqlDatabase } from "./sql-database.js";

/** Few, so that a start reads many experiments in pieces. */
const EXPERIMENTS_PER_READ = 200;
/** Cache keys that are compared with those of stored results in one piece. */
const KEYS_PER_READ = 10_000;

interface ExperimentRow {
  number: number;
  id: string;
  owner: string;
  priority: number;
  sweep_id: string;
  device: string;
  num_devices: number;
  memory_mib: number;
  num_tasks: number;
}

interface TaskRow {
  id: string;
  experiment_id: string;
  position: number;
  kind: string;
  cache_key: string;
  num_lost: number;
}

/** Unfinished experiments and their tasks by their columns alone: no message is decoded. */
export class QueueRows implements QueueStore {
  readonly #file: SqlDatabase;

  constructor(file: SqlDatabase) {
    this.#file = file;
  }

  *waiting(): Generator<QueuedExperiment, void> {
    for (let after = 0; ; ) {
      const rows = this.#file.all<ExperimentRow>(
        `SELECT number, id, owner, priority, sweep_id, device, num_devices, memory_mib,
           (SELECT count(*) FROM tasks WHERE experiment_id = experiments.id) AS num_tasks
         FROM experiments WHERE is_ended = 0 AND number > ?
         ORDER BY number LIMIT ${EXPERIMENTS_PER_READ}`,
        after,
      );
      const tasks = this.#readyTasks(rows);
      for (const row of rows) yield queuedExperiment(row, tasks.get(row.id) ?? []);
      const last = rows.at(-1);
      if (last === undefined) return;
      after = last.number;
    }
  }

  running(): string[] {
    return this.#file
      .all<{ id: string }>(
        `SELECT id FROM experiments WHERE id IN (
           SELECT experiment_id FROM tasks WHERE state = 'STATE_RUNNING'
         ) ORDER BY number`,
      )
      .map(({ id }) => id);
  }

  taskCounts(): TaskCount[] {
    return ([State.QUEUED, State.RUNNING] as const).flatMap((state) =>
      this.#file
        .all<{ kind: string; count: number }>(
          // The state is in the words of its index, so that the index alone is read.
          `SELECT kind, count(*) AS count FROM tasks WHERE state = '${state}' GROUP BY kind`,
        )
        .map(({ kind, count }) => ({ kind, state, count })),
    );
  }

  standingOf(experimentId: string): Standing | undefined {
    const row = this.#file.get<{
      is_ended: number;
      state: string;
      owner: string;
      num_tasks: number;
    }>(
      `SELECT is_ended, state, owner,
         (SELECT count(*) FROM tasks WHERE experiment_id = experiments.id) AS num_tasks
       FROM experiments WHERE id = ?`,
      experimentId,
    );
    if (row === undefined) return undefined;
    const { is_ended: isEnded, state, owner, num_tasks: numTasks } = row;
    return { isEnded: isEnded !== 0, state: stateOf(state), owner, numTasks };
  }

  nextAwaiting(cacheKey: string, after: number): AwaitingTask | undefined {
    return this.#file.get<AwaitingTask>(
      `SELECT rowid AS number, id AS "taskId", experiment_id AS "experimentId" FROM tasks
       WHERE cache_key = ? AND state = 'STATE_QUEUED' AND rowid > ? ORDER BY rowid LIMIT 1`,
      cacheKey,
      after,
    );
  }

  *awaitingKnown(): Generator<string, void> {
    for (let after = ""; ; ) {
      const last = this.#lastOfPiece(after);
      if (last === undefined) return;
      const rows = this.#file.all<{ id: string }>(
        `SELECT DISTINCT experiment_id AS id FROM tasks AS waiting
         WHERE state = 'STATE_QUEUED' AND cache_key > ? AND cache_key <= ? AND EXISTS (
           SELECT 1 FROM tasks AS done WHERE done.cache_key = waiting.cache_key
             AND done.cache_key <> '' AND done.state = 'STATE_SUCCEEDED')`,
        after,
        last,
      );
      for (const { id } of rows) yield id;
      after = last;
    }
  }

  /** The last cache key of the next piece of those that queued tasks have. */
  #lastOfPiece(after: string): string | undefined {
    return (
      this.#file.get<{ last: string | null }>(
        `SELECT max(cache_key) AS last FROM (
         SELECT cache_key FROM tasks WHERE state = 'STATE_QUEUED' AND cache_key > ?
         ORDER BY cache_key LIMIT ${KEYS_PER_READ}
       ) AS piece`,
        after,
      )?.last ?? undefined
    );
  }

  /** The tasks of each experiment that could start, by its id. */
  #readyTasks(rows: readonly ExperimentRow[]): Map<string, QueuedTask[]> {
    const byId = new Map<string, QueuedTask[]>();
    const found = this.#file.all<TaskRow>(
      `SELECT id, experiment_id, position, kind, cache_key, num_lost FROM tasks
       WHERE is_ready = 1 AND experiment_id IN (SELECT value FROM json_each(?))
       ORDER BY experiment_id, position`,
      JSON.stringify(rows.map(({ id }) => id)),
    );
    for (const row of found) {
      const ofIt = byId.get(row.experiment_id);
      if (ofIt) ofIt.push(queuedTask(row));
      else byId.set(row.experiment_id, [queuedTask(row)]);
    }
    return byId;
  }
}

function queuedExperiment(row: ExperimentRow, ready: readonly QueuedTask[]): QueuedExperiment {
  const { id, owner, priority, device } = row;
  return {
    ...{ id, owner, priority, device, ready },
    sweepId: row.sweep_id,
    numDevices: row.num_devices,
    memoryMib: row.memory_mib,
    numTasks: row.num_tasks,
  };
}

function queuedTask({ id, position, kind, cache_key: cacheKey, num_lost }: TaskRow): QueuedTask {
  return { id, position, isDistill: kind === "distill", cacheKey, numLost: num_lost };
}
