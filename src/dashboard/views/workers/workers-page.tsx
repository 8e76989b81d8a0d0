import { useState } from "preact/hooks";
import { workerCommand, workerViews } from "../../model/worker-view.js";
import { ColumnHeads } from "../../parts/column-heads.js";
import { Empty, Problem } from "../../parts/notice.js";
import { asServerError, useResource } from "../../parts/resource.js";
import { ScrollTable } from "../../parts/scroll.js";
import { usePageTitle } from "../../parts/title.js";
import { drainWorker, listWorkers } from "../../server/api.js";
import type { ServerError } from "../../server/http.js";
import { Queue } from "./queue.js";
import { WorkerRow } from "./worker-row.js";

const POLL_MS = 2000;
const COLUMNS = ["Worker", "State", "Device", "Load", "Memory", "Task", "Last seen"];

/** The workers with their devices, load and tasks; and the experiments that wait for a worker. */
export function WorkersPage() {
  usePageTitle("Workers");
  const workers = useResource("workers", async (signal) => workerViews(await listWorkers(signal)), {
    pollMs: POLL_MS,
  });
  const [failure, setFailure] = useState<ServerError>();
  const drain = (id: string) =>
    drainWorker(id).then(workers.reload, (error) => setFailure(asServerError(error)));
  const { data } = workers;
  return (
    <div class="page">
      <div class="page-head">
        <h1>Workers</h1>
      </div>
      <Problem error={workers.error ?? failure} />
      {data?.length === 0 ? (
        <Empty>
          No worker is connected: what is queued waits. A control plane that runs for one command
          starts its own; others join by <code>{workerCommand(location)}</code>, at the address that{" "}
          <code>npm run serve</code> prints.
        </Empty>
      ) : null}
      {data === undefined || data.length === 0 ? null : (
        <ScrollTable label="Workers" class="table">
          <ColumnHeads words={COLUMNS} hasTools />
          <tbody>
            {data.map((worker) => (
              <WorkerRow key={worker.id} worker={worker} onDrain={() => drain(worker.id)} />
            ))}
          </tbody>
        </ScrollTable>
      )}
      <Queue />
    </div>
  );
}
