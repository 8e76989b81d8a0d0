import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Registry } from "prom-client";
import type { ExperimentRecord } from "../../src/experiment/domain/record.js";
import { withResult } from "../../src/experiment/domain/resulted.js";
import {
  cancelExperiment,
  completeTask,
  leaseTask,
  loseTask,
  stopTask,
} from "../../src/experiment/domain/transitions.js";
import type { PoolFigures } from "../../src/experiment/scheduling/pool-figures.js";
import { MetricPoint, State } from "../../src/generated/stillhouse/v1/experiment.js";
import { Worker, WorkerState } from "../../src/generated/stillhouse/v1/service.js";
import { Telemetry } from "../../src/telemetry/telemetry.js";
import { DISTILLED, LEARNERS, NOW, plannedRecord } from "../fixtures/experiments.js";

const HOUR_MS = 3_600_000;

/** A telemetry with a clock of its own. */
class Measured {
  nowMs = 0;
  workers: Worker[] = [];
  pools: PoolFigures[] = [];
  hasStorageFault = false;
  readonly telemetry = new Telemetry({
    registry: new Registry(),
    version: "1.2.3",
    monotonicMs: () => this.nowMs,
    workers: () => this.workers,
    pools: () => this.pools,
    hasStorageFault: () => this.hasStorageFault,
  });

  /** Reports a change to it and returns the record after the change. */
  step(before: ExperimentRecord, after: ExperimentRecord): ExperimentRecord {
    const changed = withResult(after, before);
    this.telemetry.changed(before, changed);
    return changed;
  }

  /** The lines of the metrics whose names begin with the prefix, without comments. */
  async lines(prefix: string): Promise<string[]> {
    const text = await this.telemetry.text();
    return text.split("\n").filter((line) => line.startsWith(prefix));
  }

  async value(series: string): Promise<number | undefined> {
    const line = (await this.lines(series)).find((each) => each.startsWith(`${series} `));
    return line === undefined ? undefined : Number(line.split(" ").at(-1));
  }
}

describe("the measurements of tasks", () => {
  it("count the waiting and the running ones, and their times by kind and outcome", async () => {
    const measured = new Measured();
    const planned = plannedRecord();
    measured.telemetry.changed(undefined, planned);
    assert.equal(await measured.value('stillhouse_queue_tasks{kind="distill"}'), 1);
    assert.equal(await measured.value('stillhouse_queue_tasks{kind="evaluate"}'), 1);
    const later = new Date(NOW.getTime() + 4_000);
    const leased = measured.step(planned, leaseTask(planned, "ex1-distill", later));
    assert.equal(await measured.value('stillhouse_queue_tasks{kind="distill"}'), 0);
    assert.equal(await measured.value('stillhouse_running_tasks{kind="distill"}'), 1);
    assert.equal(await measured.value('stillhouse_queue_wait_seconds_sum{kind="distill"}'), 4);
    measured.nowMs = 60_000;
    measured.telemetry.leaseExpired("silent");
    const lost = measured.step(leased, loseTask(leased, "ex1-distill", "silent", "", NOW));
    const interrupted = '{kind="distill",outcome="interrupted"}';
    assert.equal(await measured.value(`stillhouse_task_duration_seconds_sum${interrupted}`), 60);
    const stopped = stopTask(leaseTask(lost, "ex1-distill", NOW), "ex1-distill", NOW);
    const again = measured.step(stopped, leaseTask(stopped, "ex1-distill", NOW));
    // A task that is queued again because it was stopped does not count as a retry.
    assert.equal(await measured.value('stillhouse_task_retries_total{kind="distill"}'), 1);
    assert.equal(await measured.value('stillhouse_lease_expiries_total{reason="silent"}'), 1);
    measured.nowMs = 100_000;
    const done = measured.step(again, completeTask(again, "ex1-distill", DISTILLED, NOW));
    // An evaluation begins to wait when there is something to evaluate.
    measured.nowMs = 101_000;
    const evaluated = measured.step(done, leaseTask(done, "ex1-evaluate", NOW));
    assert.equal(await measured.value('stillhouse_queue_wait_seconds_sum{kind="evaluate"}'), 1);
    measured.step(evaluated, cancelExperiment(evaluated, NOW));
    assert.equal(await measured.value('stillhouse_queue_tasks{kind="full"}'), 0);
  });

  it("count what an earlier process left, once", async () => {
    const measured = new Measured();
    const planned = plannedRecord();
    const running = leaseTask(planned, "ex1-distill", NOW);
    const state = State.QUEUED;
    measured.telemetry.tookOver(3, [
      { kind: "distill", state, count: 2 },
      { kind: "distill", state: State.RUNNING, count: 1 },
    ]);
    measured.telemetry.changed(running, running);
    assert.equal(await measured.value('stillhouse_queue_tasks{kind="distill"}'), 2);
    const stopped = measured.step(running, stopTask(running, "ex1-distill", NOW));
    assert.equal(await measured.value('stillhouse_queue_tasks{kind="distill"}'), 3);
    assert.equal(await measured.value('stillhouse_running_tasks{kind="distill"}'), 0);
    assert.equal(await measured.value("stillhouse_unfinished_experiments"), 3);
    measured.step(stopped, cancelExperiment(stopped, NOW));
    measured.telemetry.removed("ex2", true);
    assert.equal(await measured.value("stillhouse_unfinished_experiments"), 1);
  });
});

describe("the measurements of experiments", () => {
  const distillTask = plannedRecord().tasks[0]?.task;

  it("follow a distillation, and leave an hour after its end", async () => {
    const measured = new Measured();
    assert.ok(distillTask);
    let record = plannedRecord();
    measured.telemetry.changed(undefined, record);
    assert.equal(await measured.value("stillhouse_unfinished_experiments"), 1);
    assert.deepEqual(await measured.lines("stillhouse_experiment_"), []);
    record = measured.step(record, leaseTask(record, "ex1-distill", NOW));
    const point = (name: string, step: bigint, value: number) =>
      MetricPoint.fromPartial({ name, step, value });
    measured.telemetry.metrics(distillTask, [
      point("outer_loss", 1n, 0.7),
      point("seconds_inner", 1n, 0.5),
      point("seconds_outer", 1n, 0.25),
      point("outer_loss", 2n, 0.6),
      point("validation_accuracy", 2n, 0.8),
    ]);
    assert.equal(await measured.value("stillhouse_outer_steps_total"), 2);
    assert.equal(await measured.value("stillhouse_outer_step_seconds_sum"), 0.75);
    assert.equal(await measured.value("stillhouse_outer_step_seconds_count"), 1);
    const phase = 'stillhouse_outer_step_phase_seconds_total{phase="inner"}';
    assert.equal(await measured.value(phase), 0.5);
    const ofIt = '{experiment="ex1"}';
    assert.equal(await measured.value(`stillhouse_experiment_outer_loss${ofIt}`), 0.6);
    assert.equal(
      await measured.value(`stillhouse_experiment_validation_accuracy_ratio${ofIt}`),
      0.8,
    );
    for (const { task } of record.tasks.slice(1)) {
      record = measured.step(record, leaseTask(record, task.id, NOW));
    }
    for (const { task } of record.tasks) {
      const result = task.id.endsWith("distill") ? DISTILLED : LEARNERS;
      record = measured.step(record, completeTask(record, task.id, result, NOW));
    }
    const finished = 'stillhouse_experiments_finished_total{state="succeeded"}';
    assert.equal(await measured.value(finished), 1);
    assert.equal(await measured.value("stillhouse_unfinished_experiments"), 0);
    const accuracy = 'stillhouse_experiment_accuracy_ratio{experiment="ex1",learners="distilled"}';
    assert.equal(await measured.value(accuracy), 0.9);
    measured.nowMs += HOUR_MS - 1;
    assert.equal(await measured.value(accuracy), 0.9);
    measured.nowMs += 2;
    assert.deepEqual(await measured.lines("stillhouse_experiment_"), []);
  });

  it("stay bounded, however many there are", async () => {
    const measured = new Measured();
    for (let number = 0; number < 600; number++) {
      const planned = plannedRecord(`ex${number}`);
      measured.telemetry.changed(undefined, planned);
      measured.step(planned, leaseTask(planned, `ex${number}-distill`, NOW));
    }
    assert.equal((await measured.lines("stillhouse_experiment_info")).length, 500);
    assert.equal(await measured.value("stillhouse_unfinished_experiments"), 600);
  });
});

describe("the measurements of workers", () => {
  const labels = '{worker="w1",host="h",device="cuda:0"}';
  const worker = (state: WorkerState) =>
    Worker.fromPartial({
      id: "w1",
      host: "h",
      device: "cuda:0",
      state,
      taskId: "t",
      memoryTotalBytes: 100n,
      memoryUsedBytes: 40n,
      utilisation: 0.5,
    });

  it("show a lost worker as down for a while, unless it was told to leave", async () => {
    const measured = new Measured();
    measured.workers = [worker(WorkerState.BUSY)];
    assert.equal(await measured.value(`stillhouse_worker_up${labels}`), 1);
    assert.equal(await measured.value(`stillhouse_worker_busy${labels}`), 1);
    assert.equal(await measured.value(`stillhouse_worker_device_memory_used_bytes${labels}`), 40);
    assert.equal(await measured.value(`stillhouse_worker_device_utilisation_ratio${labels}`), 0.5);
    measured.workers = [];
    assert.equal(await measured.value(`stillhouse_worker_up${labels}`), 0);
    assert.deepEqual(await measured.lines("stillhouse_worker_device"), []);
    measured.nowMs += HOUR_MS;
    assert.deepEqual(await measured.lines("stillhouse_worker_up"), []);
    measured.workers = [worker(WorkerState.DRAINING)];
    assert.equal(await measured.value(`stillhouse_worker_up${labels}`), 1);
    measured.workers = [];
    assert.deepEqual(await measured.lines("stillhouse_worker_up"), []);
  });
});

it("shows whether anything can be stored, and which reports were refused", async () => {
  const measured = new Measured();
  assert.equal(await measured.value("stillhouse_storage_fault"), 0);
  assert.equal(await measured.value('stillhouse_report_refusals_total{reason="invalid"}'), 0);
  measured.hasStorageFault = true;
  measured.telemetry.reportRefused("invalid");
  assert.equal(await measured.value("stillhouse_storage_fault"), 1);
  assert.equal(await measured.value('stillhouse_report_refusals_total{reason="invalid"}'), 1);
  assert.equal(await measured.value('stillhouse_report_refusals_total{reason="not_stored"}'), 0);
});

describe("the measurements of pools", () => {
  it("show what a pool has, wants and was refused", async () => {
    const measured = new Measured();
    assert.deepEqual(await measured.lines("stillhouse_pool"), []);
    const counts = { numWanted: 70, numAsked: 1, numPending: 2, numRunning: 3, numRefused: 4 };
    measured.pools = [{ name: "slurm", most: 64, ...counts }];
    for (const [series, value] of [
      ['stillhouse_pool_wanted_workers{pool="slurm"}', 70],
      ['stillhouse_pool_max_workers{pool="slurm"}', 64],
      ['stillhouse_pool_workers{pool="slurm",phase="asked"}', 1],
      ['stillhouse_pool_workers{pool="slurm",phase="pending"}', 2],
      ['stillhouse_pool_workers{pool="slurm",phase="running"}', 3],
    ] as const) {
      assert.equal(await measured.value(series), value, series);
    }
    const refused = 'stillhouse_pool_refused_launches_total{pool="slurm"}';
    for (const _ of [1, 2]) assert.equal(await measured.value(refused), 4);
  });
});
