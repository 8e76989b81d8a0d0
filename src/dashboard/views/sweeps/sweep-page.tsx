import { useEffect, useState } from "preact/hooks";
import { useRoute } from "preact-iso";
import { type Sorting, sorted } from "../../model/experiment-table.js";
import { type ExperimentView, experimentView } from "../../model/experiment-view.js";
import { type Axis, axesOf } from "../../model/sweep-matrix.js";
import { countsText, sweepView } from "../../model/sweep-view.js";
import { isLive } from "../../model/task-view.js";
import { compareAddress } from "../../parts/addresses.js";
import { Problem } from "../../parts/notice.js";
import { useResource } from "../../parts/resource.js";
import { usePageTitle } from "../../parts/title.js";
import { getSettings, getSweep, listExperiments } from "../../server/api.js";
import { everyPage } from "../../server/every-page.js";
import { ChosenBar, useChoice } from "../overview/chosen-bar.js";
import { ExperimentTable } from "../overview/experiment-table.js";
import { Matrix } from "./matrix.js";

const PAGE_SIZE = 1000;
const POLL_MS = 3000;
const ROWS_AT_FIRST = 100;
/** A comparison of more is not readable, and its address would be too long. */
const MAX_COMPARED = 100;

/** A sweep as a matrix over two of its settings. */
export function SweepPage() {
  const { params } = useRoute();
  const id = params.id ?? "";
  const { data, error } = useSweep(id);
  const { data: settings } = useResource("settings", getSettings);
  usePageTitle(data?.sweep.title ?? "Sweep");
  if (data === undefined) {
    return (
      <div class="page">
        <h1>Sweep {id}</h1>
        <Problem error={error} />
        {error === undefined ? <p class="muted">Loading …</p> : null}
      </div>
    );
  }
  const { sweep, views } = data;
  const axes = settings && axesOf(views, settings);
  return (
    <div class="page">
      <div class="page-head">
        <div>
          <p class="muted over-title">
            <a href="/sweeps">Sweeps</a> / <code>{id}</code>
          </p>
          <h1>{sweep.title}</h1>
          <p class="muted">{countsText(sweep)}</p>
        </div>
        {views.length > 1 && views.length <= MAX_COMPARED ? (
          <a class="button" href={compareAddress(views.map(({ id }) => id))}>
            Compare all
          </a>
        ) : null}
      </div>
      {axes === undefined ? null : (
        <>
          <Matrix views={views} axes={axes} />
          <Members views={views} axes={axes} />
        </>
      )}
    </div>
  );
}

/** A sweep with its experiments, read again while some of them are queued or running. */
function useSweep(id: string) {
  const [isDone, setIsDone] = useState(false);
  const resource = useResource(
    `sweep ${id}`,
    async (signal) => {
      const [found, views] = await Promise.all([getSweep(id, signal), experimentsOf(id, signal)]);
      return { sweep: sweepView(found), views };
    },
    { pollMs: isDone ? undefined : POLL_MS },
  );
  const { data } = resource;
  useEffect(() => {
    if (data !== undefined) setIsDone(!data.views.some(isLive));
  }, [data]);
  return resource;
}

interface MembersProps {
  readonly views: readonly ExperimentView[];
  readonly axes: readonly Axis[];
}

/** Its experiments, with the settings in which they differ. */
function Members({ views, axes }: MembersProps) {
  const [sorting, setSorting] = useState<Sorting>({ column: "accuracy", isDescending: true });
  const [isWhole, setIsWhole] = useState(false);
  const choice = useChoice();
  const columns = axes.map(({ setting }) => setting);
  const rows = sorted(views, sorting, columns);
  return (
    <section class="section" aria-labelledby="members-title">
      <h2 id="members-title">Experiments</h2>
      <ExperimentTable
        rows={isWhole ? rows : rows.slice(0, ROWS_AT_FIRST)}
        columns={columns}
        sorting={sorting}
        onSort={setSorting}
        choice={choice}
      />
      {isWhole || rows.length <= ROWS_AT_FIRST ? null : (
        <button type="button" class="button" onClick={() => setIsWhole(true)}>
          Show all {rows.length}
        </button>
      )}
      <ChosenBar choice={choice} />
    </section>
  );
}

function experimentsOf(sweepId: string, signal: AbortSignal): Promise<ExperimentView[]> {
  return everyPage(async (pageToken) => {
    const query = { sweepId, pageSize: PAGE_SIZE, pageToken };
    const { experiments = [], nextPageToken = "" } = await listExperiments(query, signal);
    return { items: experiments.map(experimentView), nextPageToken };
  });
}
