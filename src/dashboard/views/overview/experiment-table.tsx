import { useState } from "preact/hooks";
import { formatAgo, formatDuration, formatMeanStd, formatPercent } from "../../../text/format.js";
import {
  type Column,
  type ExperimentGroup,
  FIRST_DESCENDING,
  type Grouping,
  type Sorting,
  settingText,
} from "../../model/experiment-table.js";
import type { ExperimentView } from "../../model/experiment-view.js";
import type { SettingView } from "../../model/settings-view.js";
import { isLive } from "../../model/task-view.js";
import { ProgressBar } from "../../parts/progress-bar.js";
import { ScrollTable } from "../../parts/scroll.js";
import { StateBadge } from "../../parts/state-badge.js";
import type { Choice } from "./chosen-bar.js";

export interface ExperimentTableProps {
  readonly rows: readonly ExperimentView[];
  readonly groups?: readonly ExperimentGroup[] | undefined;
  readonly grouping?: Grouping | undefined;
  /** Settings that are shown as columns of their own. */
  readonly columns: readonly SettingView[];
  readonly sorting: Sorting;
  readonly onSort: (sorting: Sorting) => void;
  readonly choice: Choice;
}

const COLUMNS: readonly { readonly id: Column; readonly label: string; readonly end?: boolean }[] =
  [
    { id: "title", label: "Experiment" },
    { id: "data", label: "Data set · model" },
    { id: "state", label: "State" },
    { id: "accuracy", label: "Accuracy %", end: true },
    { id: "ratio", label: "Of full data %", end: true },
    { id: "time", label: "Time", end: true },
    { id: "created", label: "Created", end: true },
  ];

export function ExperimentTable(props: ExperimentTableProps) {
  const { rows, groups, grouping, columns, sorting, onSort } = props;
  return (
    <ScrollTable label="Experiments" class="table experiments">
      <thead>
        <tr>
          <th scope="col" class="choose">
            <span class="visually-hidden">Compare</span>
          </th>
          {COLUMNS.map((column) => (
            <SortHeader key={column.id} {...column} sorting={sorting} onSort={onSort} />
          ))}
          {columns.map(({ flag }) => (
            <SortHeader
              key={flag}
              id={`--${flag}`}
              label={flag}
              sorting={sorting}
              onSort={onSort}
            />
          ))}
        </tr>
      </thead>
      {groups && grouping ? (
        groups.map((group) => (
          <GroupBody key={group.key} {...props} group={group} grouping={grouping} />
        ))
      ) : (
        <tbody>
          {rows.map((view) => (
            <ExperimentRow key={view.id} view={view} {...props} />
          ))}
        </tbody>
      )}
    </ScrollTable>
  );
}

interface SortHeaderProps {
  readonly id: Sorting["column"];
  readonly label: string;
  readonly end?: boolean;
  readonly sorting: Sorting;
  readonly onSort: (sorting: Sorting) => void;
}

function SortHeader({ id, label, end, sorting, onSort }: SortHeaderProps) {
  const isSorted = sorting.column === id;
  const direction = sorting.isDescending ? "descending" : "ascending";
  const sort = () =>
    onSort({
      column: id,
      isDescending: isSorted ? !sorting.isDescending : FIRST_DESCENDING[id as Column] === true,
    });
  return (
    <th
      scope="col"
      class={`col-${id} ${end ? "end" : ""}`}
      aria-sort={isSorted ? direction : "none"}
    >
      <button type="button" class="sort" onClick={sort}>
        {label}
        <span aria-hidden="true" class="sort-sign">
          {isSorted ? (sorting.isDescending ? "↓" : "↑") : ""}
        </span>
      </button>
    </th>
  );
}

interface GroupBodyProps extends Pick<ExperimentTableProps, "columns" | "choice"> {
  readonly group: ExperimentGroup;
  readonly grouping: Grouping;
}

function GroupBody({ group, grouping, ...props }: GroupBodyProps) {
  const [isOpen, setIsOpen] = useState(true);
  const { key, views, best } = group;
  const name = grouping.by === "sweep" ? key || "No sweep" : `${grouping.setting.flag} ${key}`;
  return (
    <tbody>
      <tr class="group">
        <th scope="rowgroup" colSpan={COLUMNS.length + 1 + props.columns.length}>
          <button
            type="button"
            class="group-button"
            aria-expanded={isOpen}
            onClick={() => setIsOpen(!isOpen)}
          >
            <span aria-hidden="true">{isOpen ? "▾" : "▸"}</span> {name}
          </button>
          <span class="muted">
            {views.length} {views.length === 1 ? "experiment" : "experiments"}
            {best === undefined ? "" : ` · best ${formatPercent(best)} %`}
          </span>
          {grouping.by === "sweep" && key !== "" ? <a href={`/sweeps/${key}`}>Matrix</a> : null}
        </th>
      </tr>
      {isOpen ? views.map((view) => <ExperimentRow key={view.id} view={view} {...props} />) : null}
    </tbody>
  );
}

interface ExperimentRowProps extends Pick<ExperimentTableProps, "columns" | "choice"> {
  readonly view: ExperimentView;
}

function ExperimentRow({ view, columns, choice }: ExperimentRowProps) {
  const { id, title, subject, accuracy, ratioToFull, createdMs, owner } = view;
  const live = isLive(view);
  return (
    <tr>
      <td class="choose">
        <input
          type="checkbox"
          aria-label={`Compare ${title} (${id})`}
          checked={choice.chosen.has(id)}
          onChange={({ currentTarget }) => choice.choose(id, currentTarget.checked)}
        />
      </td>
      <th scope="row">
        <a class="row-title" href={`/experiments/${id}`}>
          {title}
        </a>
        <span class="row-sub">
          {[
            id,
            ...(title === subject ? [] : [subject]),
            `seed ${view.seed}`,
            ...(owner ? [owner] : []),
          ].join(" · ")}
        </span>
      </th>
      <td class="col-data">
        {view.dataset}
        <span class="row-sub">{view.model}</span>
      </td>
      <td class="state-cell">
        <StateBadge state={view.state} />
        {view.state === "running" ? (
          <ProgressBar share={view.share} label={`Progress of ${title}`} />
        ) : null}
      </td>
      <td class="end numeric strong">
        {accuracy ? formatMeanStd(accuracy.mean, accuracy.std) : "–"}
      </td>
      <td class="end numeric">{ratioToFull === undefined ? "–" : formatPercent(ratioToFull)}</td>
      <td class="col-time end numeric">{live ? timeLeft(view) : duration(view)}</td>
      <td class="col-created end numeric muted">
        {createdMs === undefined ? "–" : formatAgo(createdMs, Date.now())}
      </td>
      {columns.map((setting) => (
        <td key={setting.flag}>{settingText(view, setting)}</td>
      ))}
    </tr>
  );
}

function timeLeft({ secondsLeft }: ExperimentView): string {
  return secondsLeft ? `${formatDuration(secondsLeft)} left` : "–";
}

function duration({ tookS }: ExperimentView): string {
  return tookS === undefined ? "–" : formatDuration(tookS);
}
