import { useMemo, useState } from "preact/hooks";
import { useLocation } from "preact-iso";
import { type Grouping, grouped, type Sorting, sorted } from "../../model/experiment-table.js";
import { isLive } from "../../model/experiment-view.js";
import { Empty, Problem } from "../../parts/notice.js";
import { useResource } from "../../parts/resource.js";
import { usePageTitle } from "../../parts/title.js";
import { getSettings } from "../../server/api.js";
import { type ExperimentList, useExperiments } from "./experiment-list.js";
import { ExperimentTable } from "./experiment-table.js";
import { Filters, type FilterValues, NO_FILTER, serverQuery } from "./filters.js";
import { NowStrip } from "./now-strip.js";

const NEWEST_FIRST: Sorting = { column: "created", isDescending: true };
/** More rows than a screen shows are made on demand: the browser lays each of them out. */
const ROWS_AT_FIRST = 100;

/** All experiments: what runs, how well, and what each came to. */
export function OverviewPage() {
  usePageTitle("Experiments");
  const [filter, setFilter] = useState<FilterValues>(NO_FILTER);
  const [sorting, setSorting] = useState<Sorting>(NEWEST_FIRST);
  const [numRows, setNumRows] = useState(ROWS_AT_FIRST);
  const [chosen, setChosen] = useState<ReadonlySet<string>>(new Set());
  const list = useExperiments(serverQuery(filter, sorting));
  const { data: settings = [] } = useResource("settings", getSettings);
  const { route } = useLocation();

  const grouping = useMemo((): Grouping | undefined => {
    if (filter.groupBy === "") return undefined;
    if (filter.groupBy === "sweep") return { by: "sweep" };
    const setting = settings.find(({ flag }) => flag === filter.groupBy);
    return setting && { by: "setting", setting };
  }, [filter.groupBy, settings]);
  const rows = useMemo(() => sorted(list.views ?? [], sorting), [list.views, sorting]);
  const groups = useMemo(() => grouping && grouped(rows, grouping), [rows, grouping]);

  const choose = (id: string, isChosen: boolean) => {
    const next = new Set(chosen);
    if (isChosen) next.add(id);
    else next.delete(id);
    setChosen(next);
  };
  const compare = () => {
    route(`/compare?${[...chosen].map((id) => `id=${encodeURIComponent(id)}`).join("&")}`);
  };

  return (
    <div class="page">
      <div class="page-head">
        <h1>Experiments</h1>
        <Tally list={list} />
      </div>
      <NowStrip running={rows.filter(({ state }) => state === "running")} />
      <Filters values={filter} settings={settings} onChange={setFilter} />
      <Problem error={list.error} />
      {list.views?.length === 0 ? (
        <Nothing isFiltered={JSON.stringify(filter) !== JSON.stringify(NO_FILTER)} />
      ) : (
        <ExperimentTable
          rows={rows.slice(0, numRows)}
          groups={groups}
          grouping={grouping}
          sorting={sorting}
          onSort={setSorting}
          chosen={chosen}
          onChoose={choose}
        />
      )}
      <div class="table-foot">
        <More
          list={list}
          numShown={groups ? rows.length : Math.min(numRows, rows.length)}
          onShowMore={() => setNumRows(numRows + 4 * ROWS_AT_FIRST)}
        />
      </div>
      {chosen.size === 0 ? null : (
        <div class="choice-bar" role="status">
          <span>{chosen.size} chosen</span>
          <button
            type="button"
            class="button primary"
            disabled={chosen.size < 2}
            title={chosen.size < 2 ? "Choose at least two" : undefined}
            onClick={compare}
          >
            Compare
          </button>
          <button type="button" class="link-button" onClick={() => setChosen(new Set())}>
            Clear
          </button>
        </div>
      )}
    </div>
  );
}

function Tally({ list: { views } }: { readonly list: ExperimentList }) {
  if (views === undefined) return <p class="muted">Loading …</p>;
  const count = (state: string) => views.filter((view) => view.state === state).length;
  const numLive = views.filter(isLive).length;
  const parts = [`${count("running")} running`, `${count("queued")} queued`];
  return <p class="muted">{numLive === 0 ? "Nothing runs" : parts.join(" · ")}</p>;
}

interface MoreProps {
  readonly list: ExperimentList;
  readonly numShown: number;
  readonly onShowMore: () => void;
}

function More({ list, numShown, onShowMore }: MoreProps) {
  const numRead = list.views?.length ?? 0;
  if (numRead === 0) return null;
  return (
    <>
      <span class="muted">
        {numShown} shown{list.hasMore ? `; sorted and grouped among the ${numRead} read` : ""}
      </span>
      {numShown < numRead ? (
        <button type="button" class="button" onClick={onShowMore}>
          Show more
        </button>
      ) : null}
      {list.hasMore && numShown >= numRead ? (
        <button
          type="button"
          class="button"
          disabled={list.isLoading}
          onClick={() => {
            list.loadMore();
            onShowMore();
          }}
        >
          {list.isLoading ? "Reading …" : "Read more"}
        </button>
      ) : null}
    </>
  );
}

function Nothing({ isFiltered }: { readonly isFiltered: boolean }) {
  if (isFiltered) return <Empty>No experiment fits these filters.</Empty>;
  return (
    <Empty>
      There is no experiment yet. <a href="/new">Start one</a>, or on the command line:{" "}
      <code>npm run experiment -- --sl unrestricted --al cls</code>
    </Empty>
  );
}
