import { type ExperimentView, isLive } from "./experiment-view.js";
import type { SettingView } from "./settings-view.js";
import { writtenValue } from "./settings-view.js";
import { readField } from "./spec-fields.js";

export type Column = "title" | "data" | "state" | "accuracy" | "ratio" | "time" | "created";

export interface Sorting {
  readonly column: Column;
  readonly isDescending: boolean;
}

/** How a column sorts when it is chosen first: what is read from the top is the best or newest. */
export const FIRST_DESCENDING: Readonly<Record<Column, boolean>> = {
  title: false,
  data: false,
  state: false,
  accuracy: true,
  ratio: true,
  time: true,
  created: true,
};

const STATE_ORDER = ["running", "queued", "failed", "cancelled", "succeeded"];

const KEYS: Readonly<Record<Column, (view: ExperimentView) => string | number | undefined>> = {
  title: ({ title }) => title.toLowerCase(),
  data: ({ dataset, model }) => `${dataset} ${model}`.toLowerCase(),
  state: ({ state }) => STATE_ORDER.indexOf(state),
  accuracy: ({ accuracy }) => accuracy?.mean,
  ratio: ({ ratioToFull }) => ratioToFull,
  time: (view) => (isLive(view) ? view.running?.progress?.secondsLeft : durationS(view)),
  created: ({ createdMs }) => createdMs,
};

/** Those without a value come last, whichever way the others go. */
export function sorted(
  views: readonly ExperimentView[],
  { column, isDescending }: Sorting,
): ExperimentView[] {
  const key = KEYS[column];
  const sign = isDescending ? -1 : 1;
  return [...views].sort((a, b) => {
    const [x, y] = [key(a), key(b)];
    if (x === undefined || y === undefined)
      return Number(x === undefined) - Number(y === undefined);
    if (x === y) return 0;
    return x < y ? -sign : sign;
  });
}

/** Seconds from its creation to its end. */
export function durationS({ createdMs, endedMs }: ExperimentView): number | undefined {
  return createdMs === undefined || endedMs === undefined
    ? undefined
    : (endedMs - createdMs) / 1000;
}

export interface ExperimentGroup {
  readonly key: string;
  readonly views: readonly ExperimentView[];
  /** Best mean accuracy in the group. */
  readonly best: number | undefined;
}

/** What a group is named after. */
export type Grouping =
  | { readonly by: "sweep" }
  | { readonly by: "setting"; readonly setting: SettingView };

/** Groups in the order in which their first members come. */
export function grouped(views: readonly ExperimentView[], grouping: Grouping): ExperimentGroup[] {
  const groups = new Map<string, ExperimentView[]>();
  for (const view of views) {
    const key = groupKey(view, grouping);
    const group = groups.get(key);
    if (group) group.push(view);
    else groups.set(key, [view]);
  }
  return [...groups].map(([key, members]) => ({
    key,
    views: members,
    best: members.reduce<number | undefined>(
      (best, { accuracy }) =>
        accuracy && (best === undefined || accuracy.mean > best) ? accuracy.mean : best,
      undefined,
    ),
  }));
}

/** The value of a setting as a person writes it. */
export function settingText({ spec }: ExperimentView, setting: SettingView): string {
  if (setting.kind === "subset") {
    const chosen = setting.fields.filter((path) => readField(spec, path) === true);
    return chosen.map((path) => path.split(".").at(-1)).join(",") || "none";
  }
  const value = readField(spec, setting.name);
  return value === undefined || value === "" ? "–" : writtenValue(setting, value);
}

function groupKey(view: ExperimentView, grouping: Grouping): string {
  if (grouping.by === "sweep") return view.sweepId;
  return settingText(view, grouping.setting);
}
