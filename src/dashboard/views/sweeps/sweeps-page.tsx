import { formatAgo } from "../../../text/format.js";
import { countsText, type SweepView, sweepView } from "../../model/sweep-view.js";
import { ColumnHeads } from "../../parts/column-heads.js";
import { Empty, Problem } from "../../parts/notice.js";
import { usePages } from "../../parts/pages.js";
import { ProgressBar } from "../../parts/progress-bar.js";
import { ScrollTable } from "../../parts/scroll.js";
import { usePageTitle } from "../../parts/title.js";
import { listSweeps } from "../../server/api.js";

/** All sweeps, newest first. */
export function SweepsPage() {
  usePageTitle("Sweeps");
  const { items, error, hasMore, loadMore } = usePages("sweeps", async (pageToken, signal) => {
    const { sweeps = [], nextPageToken = "" } = await listSweeps(pageToken, signal);
    return { items: sweeps.map(sweepView), nextPageToken };
  });
  return (
    <div class="page">
      <div class="page-head">
        <h1>Sweeps</h1>
      </div>
      <Problem error={error} />
      {items === undefined ? <p class="muted">Loading …</p> : null}
      {items?.length === 0 ? (
        <Empty>
          There is no sweep yet. On the command line:{" "}
          <code>npm run sweep -- --sl none,restricted,unrestricted --al none,cls</code>
        </Empty>
      ) : null}
      {items === undefined || items.length === 0 ? null : (
        <ScrollTable label="Sweeps" class="table">
          <ColumnHeads words={["Sweep", "Experiments", "Progress"]} numbers={["Created"]} />
          <tbody>
            {items.map((sweep) => (
              <SweepRow key={sweep.id} sweep={sweep} />
            ))}
          </tbody>
        </ScrollTable>
      )}
      {hasMore ? (
        <div class="table-foot">
          <button type="button" class="button" onClick={loadMore}>
            Read more
          </button>
        </div>
      ) : null}
    </div>
  );
}

function SweepRow({ sweep }: { readonly sweep: SweepView }) {
  const { id, title, owner, numExperiments, createdMs } = sweep;
  return (
    <tr>
      <th scope="row">
        <a class="row-title" href={`/sweeps/${id}`}>
          {title}
        </a>
        <span class="row-sub">{[id, owner].filter(Boolean).join(" · ")}</span>
      </th>
      <td>
        {numExperiments}
        <span class="row-sub">{countsText(sweep)}</span>
      </td>
      <td class="state-cell">
        <ProgressBar share={shareEnded(sweep)} label={`Progress of ${title}`} />
      </td>
      <td class="end muted">{createdMs === undefined ? "–" : formatAgo(createdMs, Date.now())}</td>
    </tr>
  );
}

function shareEnded({ counts, numExperiments }: SweepView): number {
  const ended = counts
    .filter(({ state }) => state !== "queued" && state !== "running")
    .reduce((sum, { count }) => sum + count, 0);
  return numExperiments === 0 ? 0 : ended / numExperiments;
}
