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
  /** Its tasks that could start, a line each; null for none. */
  ready: string | null;
}

/**
 * A task that could start as a line: a row of its own for each would take several times as long. No
 * part of it but the id may hold a space.
 */
const READY_LINE = "position || ' ' || num_lost || ' ' || kind || ' ' || cache_key || ' ' || id";

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
           (SELECT count(*) FROM tasks WHERE experiment_id = experiments.id) AS num_tasks,
           (SELECT string_agg(${READY_LINE}, '\n') FROM tasks
            WHERE is_ready = 1 AND experiment_id = experiments.id) AS ready
         FROM experiments WHERE is_ended = 0 AND number > ?
         ORDER BY number LIMIT ${EXPERIMENTS_PER_READ}`,
        after,
      );
      for (const row of rows) yield queuedExperiment(row);
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
    const row = this.#file.get<{ number: number; id: string; experiment_id: string }>(
      `SELECT rowid AS number, id, experiment_id FROM tasks
       WHERE cache_key = ? AND state = 'STATE_QUEUED' AND rowid > ? ORDER BY rowid LIMIT 1`,
      cacheKey,
      after,
    );
    return row && { number: row.number, taskId: row.id, experimentId: row.experiment_id };
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
}

function queuedExperiment(row: ExperimentRow): QueuedExperiment {
  const ready = row.ready === null ? [] : row.ready.split("\n").map(queuedTask);
  return {
    id: row.id,
    owner: row.owner,
    priority: row.priority,
    sweepId: row.sweep_id,
    device: row.device,
    numDevices: row.num_devices,
    memoryMib: row.memory_mib,
    numTasks: row.num_tasks,
    ready: ready.sort((a, b) => a.position - b.position),
  };
}

/** @param line see `READY_LINE` */
function queuedTask(line: string): QueuedTask {
  const [position = "", numLost = "", kind = "", cacheKey = "", ...id] = line.split(" ");
  return {
    id: id.join(" "),
    position: Number(position),
    isDistill: kind === "distill",
    cacheKey,
    numLost: Number(numLost),
  };
}
