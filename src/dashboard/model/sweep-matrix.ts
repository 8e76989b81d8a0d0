import { extent, max, mean } from "d3-array";
import { comparisonNote, type Spread, spreadOf } from "../../results/distillations.js";
import type { Row } from "../../results/rows.js";
import { formatBetween } from "../../text/format.js";
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
  /** Of the distillations that have a result; undefined where they differ in more than the seed. */
  readonly spread: Spread | undefined;
}

export interface SweepMatrix {
  readonly rows: readonly string[];
  readonly columns: readonly string[];
  /** By row and column; a combination that the sweep leaves out has no experiments. */
  readonly cells: readonly (readonly MatrixCell[])[];
  /** Least and greatest accuracy of a cell. */
  readonly range: readonly [least: number, greatest: number] | undefined;
  /** Whether the accuracies of the cells lie no further apart than distillations of one of them. */
  readonly isWithinSpread: boolean;
  /** What the differences between its cells can tell; empty with fewer than two cells. */
  readonly note: string;
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
  return axes.sort((a, b) => Number(isSeed(a)) - Number(isSeed(b)));
}

function isSeed({ setting }: Axis): boolean {
  return setting.flag === SEED;
}

/** Numbers by size, choices in the order of their table, other words alphabetically. */
function inOrder(setting: SettingView, values: ReadonlySet<string>): string[] {
  const choices = Object.keys(setting.choices ?? {});
  if (choices.length > 0) return choices.filter((word) => values.has(word));
  return [...values].sort((a, b) => Number(a) - Number(b) || a.localeCompare(b));
}

/** The column of a matrix where none is chosen: seeds are not one, they share a cell. */
export function usualColumn(axes: readonly Axis[], row: Axis | undefined): Axis | undefined {
  return axes.find((axis) => axis !== row && !isSeed(axis));
}

/**
 * Experiments by the values of two settings; those that agree on both share a cell.
 *
 * @param axes all settings that differ
 */
export function matrixOf(
  views: readonly ExperimentView[],
  row: Axis,
  column: Axis | undefined,
  axes: readonly Axis[],
): SweepMatrix {
  const columns = column?.values ?? [""];
  const hidden = axes.filter((axis) => axis !== row && axis !== column && !isSeed(axis));
  const cells = row.values.map((rowValue) =>
    columns.map((columnValue) =>
      cellOf(
        views.filter(
          (view) =>
            settingText(view, row.setting) === rowValue &&
            (column === undefined || settingText(view, column.setting) === columnValue),
        ),
        hidden,
      ),
    ),
  );
  const [least, greatest] = extent(cells.flat(), ({ accuracy }) => accuracy);
  const spreads = cells.flat().flatMap(({ spread }) => spread ?? []);
  const between = max(spreads, ({ distillations }) => distillations.std ?? 0) ?? 0;
  return {
    rows: row.values,
    columns,
    cells,
    range: least === undefined ? undefined : [least, greatest],
    isWithinSpread: least !== undefined && between > 0 && greatest - least <= between,
    note:
      spreads.length < 2 ? "" : comparisonNote(spreads.map(({ distillations }) => distillations.n)),
  };
}

function cellOf(views: readonly ExperimentView[], hidden: readonly Axis[]): MatrixCell {
  const settings = views.map((view) => hidden.map(({ setting }) => settingText(view, setting)));
  const areSame = new Set(settings.map((values) => JSON.stringify(values))).size === 1;
  const rows = views.flatMap(({ results }) => results.find(isDistilled) ?? []);
  return {
    views,
    accuracy: mean(views, ({ accuracy }) => accuracy?.mean),
    spread: areSame && rows.length > 0 ? spreadOf(rows) : undefined,
  };
}

function isDistilled({ kind }: Row): boolean {
  return kind === "distilled";
}

/** What stands below the accuracy of a cell: its spreads, or of what it is the mean. */
export function cellNote({ views, spread }: MatrixCell): string {
  const numDone = views.filter(({ accuracy }) => accuracy !== undefined).length;
  if (numDone === 0) return views.length > 1 ? `${views.length} experiments` : "";
  const { distillations, learners } = spread ?? {};
  if (views.length === 1) return formatBetween(learners?.std);
  const what =
    distillations === undefined
      ? [`mean of ${numDone}`]
      : distillations.n === 1
        ? [`1 distillation, learners ${formatBetween(learners?.std)}`]
        : [
            `${formatBetween(distillations.std)} between ${distillations.n} distillations`,
            ...(learners?.std === null ? [] : [`${formatBetween(learners?.std)} between learners`]),
          ];
  return [...what, ...unfinishedText(views)].join(", ");
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
