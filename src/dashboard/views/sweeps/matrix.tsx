import { useMemo, useState } from "preact/hooks";
import { formatInterval, formatPercent } from "../../../text/format.js";
import type { ExperimentView } from "../../model/experiment-view.js";
import {
  type Axis,
  type MatrixCell,
  matrixOf,
  type SweepMatrix,
  unfinishedText,
} from "../../model/sweep-matrix.js";
import { compareAddress } from "../../parts/addresses.js";
import { Empty } from "../../parts/notice.js";
import { ScrollTable } from "../../parts/scroll.js";
import { StateBadge } from "../../parts/state-badge.js";

export interface MatrixProps {
  readonly views: readonly ExperimentView[];
  readonly axes: readonly Axis[];
}

/** Accuracy over two of the settings in which experiments differ. */
export function Matrix({ views, axes }: MatrixProps) {
  const [rowFlag, setRowFlag] = useState("");
  const [columnFlag, setColumnFlag] = useState("");
  const row = axes.find(({ setting }) => setting.flag === rowFlag) ?? axes[0];
  const column =
    axes.find((axis) => axis.setting.flag === columnFlag && axis !== row) ??
    axes.find((axis) => axis !== row);
  const matrix = useMemo(() => row && matrixOf(views, row, column), [views, row, column]);
  if (row === undefined || matrix === undefined) {
    return <Empty>The experiments of this sweep do not differ in any setting.</Empty>;
  }
  const range = matrix.range === undefined ? "" : `: ${formatInterval(matrix.range)}`;
  return (
    <>
      <div class="filters">
        <AxisChoice label="Rows" axes={axes} chosen={row} onChoose={setRowFlag} />
        {column === undefined ? null : (
          <AxisChoice
            label="Columns"
            axes={axes.filter((axis) => axis !== row)}
            chosen={column}
            onChoose={setColumnFlag}
          />
        )}
      </div>
      <p class="muted matrix-note">
        Mean test accuracy in %. The stronger the colour, the higher{range}.
      </p>
      <MatrixTable matrix={matrix} row={row} column={column} />
    </>
  );
}

interface MatrixTableProps {
  readonly matrix: SweepMatrix;
  readonly row: Axis;
  readonly column: Axis | undefined;
}

function MatrixTable({ matrix, row, column }: MatrixTableProps) {
  const { rows, columns, cells, range } = matrix;
  return (
    <ScrollTable label="Accuracy by setting" class="matrix">
      <thead>
        <tr>
          <td class="corner">
            {row.setting.flag}
            {column === undefined ? "" : ` \\ ${column.setting.flag}`}
          </td>
          {columns.map((value) => (
            <th key={value} scope="col">
              {value}
            </th>
          ))}
        </tr>
      </thead>
      <tbody>
        {rows.map((value, at) => (
          <tr key={value}>
            <th scope="row">{value}</th>
            {(cells[at] ?? []).map((cell, place) => (
              <Cell key={columns[place]} cell={cell} range={range} />
            ))}
          </tr>
        ))}
      </tbody>
    </ScrollTable>
  );
}

interface CellProps {
  readonly cell: MatrixCell;
  readonly range: readonly [number, number] | undefined;
}

function Cell({ cell: { views, accuracy }, range }: CellProps) {
  const [first] = views;
  if (first === undefined) return <td class="heat heat-empty">–</td>;
  const share = shareOf(accuracy, range);
  const address =
    views.length === 1 ? `/experiments/${first.id}` : compareAddress(views.map(({ id }) => id));
  return (
    <td
      class={share > 0.55 ? "heat heat-strong" : "heat"}
      style={{ "--share": `${Math.round(share * 100)}%` }}
    >
      <a href={address}>
        {accuracy === undefined ? <StateBadge state={first.state} /> : formatPercent(accuracy)}
        <span class="cell-note">{views.length > 1 ? countText(views) : spreadText(first)}</span>
      </a>
    </td>
  );
}

/** How many experiments have a result, where not all of them do. */
function countText(views: readonly ExperimentView[]): string {
  const done = views.filter(({ accuracy }) => accuracy !== undefined).length;
  if (done === 0) return `${views.length} experiments`;
  return [`mean of ${done}`, ...unfinishedText(views)].join(", ");
}

function spreadText({ accuracy }: ExperimentView): string {
  const std = accuracy?.std;
  return std === undefined || std === null ? "" : `± ${formatPercent(std)}`;
}

function shareOf(accuracy: number | undefined, range: readonly [number, number] | undefined) {
  if (accuracy === undefined || range === undefined) return 0;
  const [least, greatest] = range;
  return greatest === least ? 0.5 : (accuracy - least) / (greatest - least);
}

interface AxisChoiceProps {
  readonly label: string;
  readonly axes: readonly Axis[];
  readonly chosen: Axis;
  readonly onChoose: (flag: string) => void;
}

function AxisChoice({ label, axes, chosen, onChoose }: AxisChoiceProps) {
  return (
    <label class="filter">
      <span>{label}</span>
      <select
        value={chosen.setting.flag}
        onChange={({ currentTarget }) => onChoose(currentTarget.value)}
      >
        {axes.map(({ setting }) => (
          <option key={setting.flag}>{setting.flag}</option>
        ))}
      </select>
    </label>
  );
}
