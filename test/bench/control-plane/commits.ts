import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Event } from "../../../src/generated/stillhouse/v1/experiment.js";
import { SqliteExperimentStore } from "../../../src/store/experiment-store.js";
import { plannedRecord } from "../../fixtures/experiments.js";
import { onDatabase, storeFor } from "./bench-store.js";

export interface Commits {
  readonly perSecond: number;
  /** Processor time of the process, threads included. */
  readonly cpuMs: number;
}

/** Changes of one task, with an event, that are on the disk when they return, one after the other. */
export async function measureCommits(count: number): Promise<Commits> {
  const home = mkdtempSync(join(tmpdir(), "stillhouse-bench-"));
  await storeFor(home);
  let measured: Commits = { perSecond: 0, cpuMs: 0 };
  await onDatabase(home, true, (database) => {
    const store = new SqliteExperimentStore(database);
    const record = plannedRecord();
    store.create({ record, tasks: record.tasks, events: [] }, "");
    const experimentId = record.experiment.id;
    const event = Event.fromPartial({ experimentId, kind: { $case: "log", value: {} } });
    const startMs = performance.now();
    const before = process.cpuUsage();
    for (let done = 0; done < count; done++) {
      store.commit({ record, tasks: record.tasks.slice(0, 1), events: [event] });
    }
    const { user, system } = process.cpuUsage(before);
    const seconds = (performance.now() - startMs) / 1_000;
    measured = { perSecond: count / seconds, cpuMs: (user + system) / 1_000 / count };
  });
  rmSync(home, { recursive: true, force: true });
  return measured;
}
