import { useState } from "preact/hooks";
import { ExperimentOrder } from "../../../generated/page/stillhouse/v1/service.js";
import { formatAgo, formatBytes, formatClock, formatPercent } from "../../../text/format.js";
import { experimentView } from "../../model/experiment-view.js";
import { type WorkerView, workerCommand, workerViews } from "../../model/worker-view.js";
import { ActionButton } from "../../parts/action-button.js";
import { Empty, Problem } from "../../parts/notice.js";
import { ProgressBar } from "../../parts/progress-bar.js";
import { asServerError, useResource } from "../../parts/resource.js";
import { ScrollTable } from "../../parts/scroll.js";
import { StateBadge } from "../../parts/state-badge.js";
import { usePageTitle } from "../../parts/title.js";
import { drainWorker, listExperiments, listWorkers } from "../../server/api.js";
import type { ServerError } from "../../server/http.js";
import { isAllowed } from "../../server/session.js";

const POLL_MS = 2000;
const QUEUE_SIZE = 20;
const NOT_ADMIN = "This needs a token with the role admin";

/** The workers with their device, its load and their task; and what waits for one. */
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
          <thead>
            <tr>
              <th scope="col">Worker</th>
              <th scope="col">State</th>
              <th scope="col">Device</th>
              <th scope="col">Load</th>
              <th scope="col">Memory</th>
              <th scope="col">Task</th>
              <th scope="col">Last seen</th>
              <td />
            </tr>
          </thead>
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

interface WorkerRowProps {
  readonly worker: WorkerView;
  readonly onDrain: () => void;
}

function WorkerRow({ worker, onDrain }: WorkerRowProps) {
  const { id, state, host, device, deviceName, utilisation, experimentId, taskId } = worker;
  const versions = Object.entries(worker.versions).map(([name, version]) => `${name} ${version}`);
  return (
    <tr>
      <th scope="row">
        {id}
        <span class="row-sub">{host}</span>
      </th>
      <td>
        <StateBadge state={state} />
        {worker.setAsideUntilMs !== undefined && (
          <span class="row-sub">until {formatClock(worker.setAsideUntilMs)}</span>
        )}
      </td>
      <td>
        {device}
        <span class="row-sub" title={versions.join(", ")}>
          {deviceName}
        </span>
      </td>
      <td class="meter-cell">
        <span class="numeric">{formatPercent(utilisation, 0)} %</span>
        <ProgressBar share={utilisation} label={`Load of ${id}`} />
      </td>
      <td class="meter-cell">
        {worker.memoryShare === undefined ? (
          "–"
        ) : (
          <>
            <span class="numeric">
              {formatBytes(worker.memoryUsed)} of {formatBytes(worker.memoryTotal)}
            </span>
            <ProgressBar share={worker.memoryShare} label={`Memory of ${id}`} />
            {worker.memoryPromised === 0 ? null : (
              <span class="row-sub">{formatBytes(worker.memoryPromised)} given to tasks</span>
            )}
          </>
        )}
      </td>
      <td>
        {experimentId === "" ? (
          "–"
        ) : (
          <>
            <a href={`/experiments/${experimentId}`}>{experimentId}</a>
            <span class="row-sub">{taskId.split("-").at(-1)}</span>
          </>
        )}
      </td>
      <td class="muted">
        {worker.lastHeardMs === undefined ? "–" : formatAgo(worker.lastHeardMs, Date.now())}
      </td>
      <td class="end">
        <ActionButton
          label="Drain"
          reason={
            isAllowed.administer.value
              ? state === "draining"
                ? "It leaves when its task is done"
                : undefined
              : NOT_ADMIN
          }
          onClick={onDrain}
        />
      </td>
    </tr>
  );
}

/** Experiments that wait, in the order in which they start. */
function Queue() {
  const { data } = useResource(
    "queue",
    async (signal) => {
      const query = { order: ExperimentOrder.NEXT_FIRST, pageSize: QUEUE_SIZE + 1 };
      const { experiments } = await listExperiments(query, signal);
      return {
        views: experiments.slice(0, QUEUE_SIZE).map(experimentView),
        hasMore: experiments.length > QUEUE_SIZE,
      };
    },
    { pollMs: POLL_MS },
  );
  return (
    <section class="section" aria-labelledby="queue-title">
      <h2 id="queue-title">Queue</h2>
      {data === undefined || data.views.length === 0 ? (
        <p class="muted">The queue is empty.</p>
      ) : (
        <ol class="queue">
          {data.views.map(({ id, title, owner, priority, dataset, model }) => (
            <li key={id}>
              <a href={`/experiments/${id}`}>{title}</a>{" "}
              <span class="muted">
                {[id, `${dataset} · ${model}`, owner, priority === 0 ? "" : `priority ${priority}`]
                  .filter(Boolean)
                  .join(" · ")}
              </span>
            </li>
          ))}
        </ol>
      )}
      {data?.hasMore ? (
        <p class="muted">
          and more: <a href="/">all experiments</a>
        </p>
      ) : null}
    </section>
  );
}
