import type { ComponentChildren } from "preact";
import { formatAgo, formatBytes, formatClock, formatPercent } from "../../../text/format.js";
import type { WorkerView } from "../../model/worker-view.js";
import { ActionButton } from "../../parts/action-button.js";
import { ProgressBar } from "../../parts/progress-bar.js";
import { StateBadge } from "../../parts/state-badge.js";
import { isAllowed } from "../../server/session.js";

const NOT_ADMIN = "This needs a token with the role admin";

export interface WorkerRowProps {
  readonly worker: WorkerView;
  readonly onDrain: () => void;
}

/** A worker with its device, its load and its task. */
export function WorkerRow({ worker, onDrain }: WorkerRowProps) {
  const { id, state, host, device, deviceName, lastSeenMs } = worker;
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
      <LoadCells worker={worker} />
      <TaskCell worker={worker} />
      <td class="muted">{lastSeenMs === undefined ? "–" : formatAgo(lastSeenMs, Date.now())}</td>
      <td class="end">
        <ActionButton label="Drain" reason={whyNotDrained(worker)} onClick={onDrain} />
      </td>
    </tr>
  );
}

function whyNotDrained({ state }: WorkerView): string | undefined {
  if (!isAllowed.administer.value) return NOT_ADMIN;
  return state === "draining" ? "It leaves when its task has ended" : undefined;
}

function LoadCells({ worker }: { readonly worker: WorkerView }) {
  const { id, utilisation, memoryShare, memoryUsed, memoryTotal, memoryPromised } = worker;
  return (
    <>
      <Meter
        text={`${formatPercent(utilisation, 0)} %`}
        share={utilisation}
        label={`Load of ${id}`}
      />
      {memoryShare === undefined ? (
        <td class="meter-cell">–</td>
      ) : (
        <Meter
          text={`${formatBytes(memoryUsed)} of ${formatBytes(memoryTotal)}`}
          share={memoryShare}
          label={`Memory of ${id}`}
        >
          {memoryPromised === 0 ? null : (
            <span class="row-sub">{formatBytes(memoryPromised)} given to tasks</span>
          )}
        </Meter>
      )}
    </>
  );
}

interface MeterProps {
  readonly text: string;
  readonly share: number;
  readonly label: string;
  readonly children?: ComponentChildren;
}

function Meter({ text, share, label, children }: MeterProps) {
  return (
    <td class="meter-cell">
      <span class="numeric">{text}</span>
      <ProgressBar share={share} label={label} />
      {children}
    </td>
  );
}

function TaskCell({ worker: { experimentId, taskId } }: { readonly worker: WorkerView }) {
  if (experimentId === "") return <td>–</td>;
  return (
    <td>
      <a href={`/experiments/${experimentId}`}>{experimentId}</a>
      <span class="row-sub">{taskId.split("-").at(-1)}</span>
    </td>
  );
}
