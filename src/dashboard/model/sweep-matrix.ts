import { extent, mean } from "d3-array";
import { settingText } from "./experiment-table.js";
import type { ExperimentView } from "./experiment-view.js";
import type { SettingView } from "./settings-view.js";

/** A setting that differs between experiments, with its values in their order. */
export interface Axis {
  readonly setting: SettingView;
  readonly values: readonly string[];
}

export interface MatrixCell {
  readonly views: readonly ExperimentView[];
  /** Mean over the mean accuracies of its experiments; undefined before there is one. */
  readonly accuracy: number | undefined;
}

export interface SweepMatrix {
  readonly rows: readonly string[];
  readonly columns: readonly string[];
  /** By row and column; a combination that the sweep leaves out has no experiments. */
  readonly cells: readonly (readonly MatrixCell[])[];
  /** Least and greatest accuracy of a cell. */
  readonly range: readonly [least: number, greatest: number] | undefined;
}

/** A name is not an axis: it differs without changing the result. */
const NO_AXES = new Set(["name"]);
const SEED = "seed";

/** Settings that differ; the seed last, since results are usually averaged over it. */
export function axesOf(views: readonly ExperimentView[], settings: readonly SettingView[]): Axis[] {
  const axes = settings
    .filter(({ flag }) => !NO_AXES.has(flag))
    .map((setting) => ({
      setting,
      values: inOrder(setting, new Set(views.map((view) => settingText(view, setting)))),
    }))
    .filter(({ values }) => values.length > 1);
  const isSeed = ({ setting }: Axis) => Number(setting.flag === SEED);
  return axes.sort((a, b) => isSeed(a) - isSeed(b));
}

/** Numbers by size, choices in the order of their table, other words alphabetically. */
function inOrder(setting: SettingView, values: ReadonlySet<string>): string[] {
  const choices = Object.keys(setting.choices ?? {});
  if (choices.length > 0) return choices.filter((word) => values.has(word));
  return [...values].sort((a, b) => Number(a) - Number(b) || a.localeCompare(b));
}

/** Experiments by the values of two settings; those that agree on both share a cell. */
export function matrixOf(
  views: readonly ExperimentView[],
  row: Axis,
  column: Axis | undefined,
): SweepMatrix {
  const columns = column?.values ?? [""];
  const cells = row.values.map((rowValue) =>
    columns.map((columnValue) =>
      cellOf(
        views.filter(
          (view) =>
            settingText(view, row.setting) === rowValue &&
            (column === undefined || settingText(view, column.setting) === columnValue),
        ),
      ),
    ),
  );
  const [least, greatest] = extent(cells.flat(), ({ accuracy }) => accuracy);
  return {
    rows: row.values,
    columns,
    cells,
    range: least === undefined ? undefined : [least, greatest],
  };
}

function cellOf(views: readonly ExperimentView[]): MatrixCell {
  return { views, accuracy: mean(views, ({ accuracy }) => accuracy?.mean) };
}

/** The experiments of a cell without an accuracy: how many are to come, and how many never will. */
export function unfinishedText(
  views: readonly Pick<ExperimentView, "accuracy" | "state">[],
): string[] {
  const without = views.filter(({ accuracy }) => accuracy === undefined);
  const count = (states: readonly string[]) =>
    without.filter(({ state }) => states.includes(state)).length;
  const counts = [
    [count(["queued", "running"]), "to come"],
    [count(["failed"]), "failed"],
    [count(["cancelled"]), "cancelled"],
  ] as const;
  return counts.filter(([number]) => number > 0).map(([number, what]) => `${number} ${what}`);
}
