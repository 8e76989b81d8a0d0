import { useMemo, useState } from "preact/hooks";
import { formatInterval, formatPercent } from "../../../text/format.js";
import type { ExperimentView } from "../../model/experiment-view.js";
import {
  type Axis,
  cellNote,
  type MatrixCell,
  matrixOf,
  type SweepMatrix,
  usualColumn,
} from "../../model/sweep-matrix.js";
import { compareAddress } from "../../parts/addresses.js";
import { Empty } from "../../parts/notice.js";
import { ScrollTable } from "../../parts/scroll.js";
import { StateBadge } from "../../parts/state-badge.js";

/** The choice of no setting for the columns; no flag is called so. */
const NO_COLUMN = "(none)";

export interface MatrixProps {
  readonly views: readonly ExperimentView[];
  readonly axes: readonly Axis[];
}

/** Accuracy over two of the settings in which experiments differ. */
export function Matrix({ views, axes }: MatrixProps) {
  const [rowFlag, setRowFlag] = useState("");
  const [columnFlag, setColumnFlag] = useState("");
  const row = axes.find(({ setting }) => setting.flag === rowFlag) ?? axes[0];
  const chosen = axes.find((axis) => axis.setting.flag === columnFlag && axis !== row);
  const column = columnFlag === NO_COLUMN ? undefined : (chosen ?? usualColumn(axes, row));
  const matrix = useMemo(
    () => row && matrixOf(views, row, column, axes),
    [views, row, column, axes],
  );
  if (row === undefined || matrix === undefined) {
    return <Empty>The experiments of this sweep do not differ in any setting.</Empty>;
  }
  return (
    <>
      <div class="filters">
        <AxisChoice label="Rows" axes={axes} chosen={row} onChoose={setRowFlag} />
        {axes.length < 2 ? null : (
          <AxisChoice
            label="Columns"
            axes={axes.filter((axis) => axis !== row)}
            chosen={column}
            mayBeNone
            onChoose={setColumnFlag}
          />
        )}
      </div>
      <p class="muted matrix-note">
        Mean test accuracy in %. {colourNote(matrix)} {matrix.note}
      </p>
      <MatrixTable matrix={matrix} row={row} column={column} />
    </>
  );
}

/** Colour would say that one cell is better than another. */
function colourNote({ range, isWithinSpread }: SweepMatrix): string {
  if (isWithinSpread) {
    return "No cell is coloured: they lie no further apart than the distillations of one of them.";
  }
  return `The stronger the colour, the higher${range === undefined ? "" : `: ${formatInterval(range)}`}.`;
}

interface MatrixTableProps {
  readonly matrix: SweepMatrix;
  readonly row: Axis;
  readonly column: Axis | undefined;
}

function MatrixTable({ matrix, row, column }: MatrixTableProps) {
  const { rows, columns, cells, isWithinSpread } = matrix;
  const range = isWithinSpread ? undefined : matrix.range;
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

function Cell({ cell, range }: CellProps) {
  const { views, accuracy } = cell;
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
        <span class="cell-note">{cellNote(cell)}</span>
      </a>
    </td>
  );
}

function shareOf(accuracy: number | undefined, range: readonly [number, number] | undefined) {
  if (accuracy === undefined || range === undefined) return 0;
  const [least, greatest] = range;
  return greatest === least ? 0.5 : (accuracy - least) / (greatest - least);
}

interface AxisChoiceProps {
  readonly label: string;
  readonly axes: readonly Axis[];
  readonly chosen: Axis | undefined;
  readonly mayBeNone?: boolean;
  readonly onChoose: (flag: string) => void;
}

function AxisChoice({ label, axes, chosen, mayBeNone = false, onChoose }: AxisChoiceProps) {
  return (
    <label class="filter">
      <span>{label}</span>
      <select
        value={chosen?.setting.flag ?? NO_COLUMN}
        onChange={({ currentTarget }) => onChoose(currentTarget.value)}
      >
        {mayBeNone ? <option>{NO_COLUMN}</option> : null}
        {axes.map(({ setting }) => (
          <option key={setting.flag}>{setting.flag}</option>
        ))}
      </select>
    </label>
  );
}
