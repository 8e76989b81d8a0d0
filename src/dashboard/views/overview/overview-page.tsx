import { useMemo, useState } from "preact/hooks";
import {
  fits,
  type Grouping,
  grouped,
  parseSearch,
  type Sorting,
  sorted,
} from "../../model/experiment-table.js";
import type { SettingView } from "../../model/settings-view.js";
import { isLive } from "../../model/task-view.js";
import { Empty, Problem } from "../../parts/notice.js";
import { useResource } from "../../parts/resource.js";
import { usePageTitle } from "../../parts/title.js";
import { getSettings } from "../../server/api.js";
import { ChosenBar, useChoice } from "./chosen-bar.js";
import { type ExperimentList, useExperiments } from "./experiment-list.js";
import { ExperimentTable } from "./experiment-table.js";
import { Filters, type FilterValues, NO_FILTER, serverQuery } from "./filters.js";
import { NowStrip } from "./now-strip.js";

const NO_SETTINGS: readonly SettingView[] = [];
const NEWEST_FIRST: Sorting = { column: "created", isDescending: true };
/** Further rows are rendered on demand, since the browser lays each of them out. */
const ROWS_AT_FIRST = 50;
const MORE_ROWS = 200;

/** All experiments with their states and accuracies. */
export function OverviewPage() {
  usePageTitle("Experiments");
  const [filter, setFilter] = useState<FilterValues>(NO_FILTER);
  const [sorting, setSorting] = useState<Sorting>(NEWEST_FIRST);
  const [numRows, setNumRows] = useState(ROWS_AT_FIRST);
  const choice = useChoice();
  const { data: settings = NO_SETTINGS } = useResource("settings", getSettings);
  const { list, rows, ...shown } = useShown(filter, sorting, settings);
  return (
    <div class="page">
      <div class="page-head">
        <h1>Experiments</h1>
        <Tally list={list} />
      </div>
      <NowStrip running={rows.filter(({ state }) => state === "running")} />
      <Filters values={filter} settings={settings} onChange={setFilter} />
      <Problem error={list.error} />
      {list.views !== undefined && rows.length === 0 ? (
        <Nothing isFiltered={JSON.stringify(filter) !== JSON.stringify(NO_FILTER)} />
      ) : (
        <ExperimentTable
          {...shown}
          rows={rows.slice(0, numRows)}
          sorting={sorting}
          onSort={setSorting}
          choice={choice}
        />
      )}
      <div class="table-foot">
        <More
          list={list}
          numRows={rows.length}
          numShown={shown.groups ? rows.length : Math.min(numRows, rows.length)}
          onShowMore={() => setNumRows(numRows + MORE_ROWS)}
        />
      </div>
      <ChosenBar choice={choice} />
    </div>
  );
}

/** The experiments that match the filter, sorted and grouped, and the settings shown as columns. */
function useShown(filter: FilterValues, sorting: Sorting, settings: readonly SettingView[]) {
  const search = useMemo(() => parseSearch(filter.text, settings), [filter.text, settings]);
  const list = useExperiments(serverQuery({ ...filter, text: search.text }, sorting));
  const columns = useMemo(
    () => filter.columns.flatMap((flag) => settings.find((each) => each.flag === flag) ?? []),
    [filter.columns, settings],
  );
  const grouping = useMemo(() => groupingOf(filter.groupBy, settings), [filter.groupBy, settings]);
  const rows = useMemo(() => {
    const found = (list.views ?? []).filter((view) => fits(view, search));
    return sorted(found, sorting, settings);
  }, [list.views, sorting, search, settings]);
  const groups = useMemo(() => grouping && grouped(rows, grouping), [rows, grouping]);
  return { list, rows, columns, grouping, groups };
}

function groupingOf(groupBy: string, settings: readonly SettingView[]): Grouping | undefined {
  if (groupBy === "sweep") return { by: "sweep" };
  const setting = settings.find(({ flag }) => flag === groupBy);
  return setting && { by: "setting", setting };
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
  /** How many of the experiments that were read match the filter. */
  readonly numRows: number;
  readonly numShown: number;
  readonly onShowMore: () => void;
}

function More({ list, numRows, numShown, onShowMore }: MoreProps) {
  const numRead = list.views?.length ?? 0;
  if (numRead === 0) return null;
  return (
    <>
      <span class="muted">
        {numShown} shown{list.hasMore ? `; sorted and grouped among the ${numRead} read` : ""}
      </span>
      {numShown < numRows ? (
        <button type="button" class="button" onClick={onShowMore}>
          Show more
        </button>
      ) : null}
      {list.hasMore && numShown >= numRows ? (
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
  if (isFiltered) return <Empty>No experiment matches these filters.</Empty>;
  return (
    <Empty>
      There are no experiments yet. <a href="/new">Start one</a>, or on the command line:{" "}
      <code>npm run experiment -- --sl unrestricted --al cls</code>
    </Empty>
  );
}
