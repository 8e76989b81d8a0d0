import { formatDuration } from "../../../text/format.js";
import type { ExperimentView } from "../../model/experiment-view.js";
import { type WorkerView, workerViews } from "../../model/worker-view.js";
import { ProgressBar } from "../../parts/progress-bar.js";
import { useResource } from "../../parts/resource.js";
import { listWorkers } from "../../server/api.js";

const POLL_MS = 3000;
const MAX_CARDS = 6;

/** The running experiments, and how many workers are busy. */
export function NowStrip({ running }: { readonly running: readonly ExperimentView[] }) {
  const { data: workers } = useResource(
    "workers",
    async (signal) => workerViews(await listWorkers(signal)),
    { pollMs: POLL_MS },
  );
  return (
    <div class="now">
      {running.length === 0 ? null : (
        <section aria-label="Running experiments" class="cards">
          {running.slice(0, MAX_CARDS).map((view) => (
            <RunningCard key={view.id} view={view} />
          ))}
        </section>
      )}
      {workers === undefined ? null : <WorkerLine workers={workers} />}
    </div>
  );
}

function RunningCard({ view }: { readonly view: ExperimentView }) {
  const { running } = view;
  const step = view.tasks.findIndex(({ id }) => id === running?.id) + 1;
  const left = view.secondsLeft ? `${formatDuration(view.secondsLeft)} left` : "";
  return (
    <a class="card" href={`/experiments/${view.id}`}>
      <span class="card-title">{view.title}</span>
      <span class="muted">
        {view.dataset} · {view.model}
      </span>
      <ProgressBar share={view.share} label={`Progress of ${view.title}`} />
      <span class="card-foot">
        <span>
          {running?.name ?? "waiting"} {step > 0 ? `(${step} of ${view.tasks.length})` : ""}
        </span>
        <span class="numeric">{left}</span>
      </span>
    </a>
  );
}

function WorkerLine({ workers }: { readonly workers: readonly WorkerView[] }) {
  const numBusy = workers.filter(({ state }) => state === "busy").length;
  const text =
    workers.length === 0
      ? "No worker is connected"
      : `${numBusy} of ${workers.length} ${workers.length === 1 ? "worker" : "workers"} busy`;
  return (
    <p class="muted worker-line">
      {text} · <a href="/workers">Workers</a>
    </p>
  );
}
