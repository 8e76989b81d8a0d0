import { ExperimentOrder } from "../../../generated/page/stillhouse/v1/service.js";
import { type ExperimentView, experimentView } from "../../model/experiment-view.js";
import { useResource } from "../../parts/resource.js";
import { listExperiments } from "../../server/api.js";

const POLL_MS = 2000;
const QUEUE_SIZE = 20;

/** Experiments that wait, in the order in which they start. */
export function Queue() {
  const { data } = useResource("queue", waiting, { pollMs: POLL_MS });
  return (
    <section class="section" aria-labelledby="queue-title">
      <h2 id="queue-title">Queue</h2>
      {data === undefined || data.views.length === 0 ? (
        <p class="muted">The queue is empty.</p>
      ) : (
        <ol class="queue">
          {data.views.map((view) => (
            <li key={view.id}>
              <a href={`/experiments/${view.id}`}>{view.title}</a>{" "}
              <span class="muted">{detailsOf(view)}</span>
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

async function waiting(signal: AbortSignal) {
  const query = { order: ExperimentOrder.NEXT_FIRST, pageSize: QUEUE_SIZE + 1 };
  const { experiments } = await listExperiments(query, signal);
  return {
    views: experiments.slice(0, QUEUE_SIZE).map(experimentView),
    hasMore: experiments.length > QUEUE_SIZE,
  };
}

function detailsOf({ id, owner, priority, dataset, model }: ExperimentView): string {
  const parts = [id, `${dataset} · ${model}`, owner, priority === 0 ? "" : `priority ${priority}`];
  return parts.filter(Boolean).join(" · ");
}
