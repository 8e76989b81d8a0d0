import type { ExperimentView } from "./experiment-view.js";
import { chosenWords, type SettingView, writtenValue } from "./settings-view.js";
import { readField } from "./spec-fields.js";
import { isLive } from "./task-view.js";

export type Column = "title" | "data" | "state" | "accuracy" | "ratio" | "time" | "created";

export interface Sorting {
  /** A column of every table, or the flag of a setting that was added as one. */
  readonly column: Column | `--${string}`;
  readonly isDescending: boolean;
}

/** Columns that first sort in descending order, so that the best or newest come first. */
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
  time: (view) => (isLive(view) ? view.secondsLeft : view.tookS),
  created: ({ createdMs }) => createdMs,
};

/** Rows without a value come last in either order. */
export function sorted(
  views: readonly ExperimentView[],
  { column, isDescending }: Sorting,
  settings: readonly SettingView[] = [],
): ExperimentView[] {
  const setting = settings.find(({ flag }) => column === `--${flag}`);
  const key = setting ? settingKey(setting) : KEYS[column as Column];
  if (key === undefined) return [...views];
  const sign = isDescending ? -1 : 1;
  return [...views].sort((a, b) => {
    const [x, y] = [key(a), key(b)];
    if (x === undefined || y === undefined)
      return Number(x === undefined) - Number(y === undefined);
    if (x === y) return 0;
    return x < y ? -sign : sign;
  });
}

/** Numbers sort by size, everything else as text. */
function settingKey(setting: SettingView) {
  return (view: ExperimentView) => {
    const value = readField(view.spec, setting.name);
    return typeof value === "number" ? value : settingText(view, setting);
  };
}

/** The search text, parsed: words for the server, and settings that must have a given value. */
export interface Search {
  readonly text: string;
  readonly conditions: readonly { readonly setting: SettingView; readonly value: string }[];
}

/** `first sl=none steps=3` → the word "first", and two conditions. */
export function parseSearch(typed: string, settings: readonly SettingView[]): Search {
  const words: string[] = [];
  const conditions: { setting: SettingView; value: string }[] = [];
  for (const word of typed.split(/\s+/).filter(Boolean)) {
    const [, flag, value = ""] = /^(?:--)?([a-z-]+)=(.+)$/.exec(word) ?? [];
    const setting = settings.find((each) => each.flag === flag);
    if (setting) conditions.push({ setting, value });
    else words.push(word);
  }
  return { text: words.join(" "), conditions };
}

export function fits(view: ExperimentView, { conditions }: Search): boolean {
  return conditions.every(({ setting, value }) => settingText(view, setting) === value);
}

export interface ExperimentGroup {
  readonly key: string;
  readonly views: readonly ExperimentView[];
  /** Best mean accuracy in the group. */
  readonly best: number | undefined;
}

/** What the experiments of a group have in common. */
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
    return chosenWords(setting, (path) => readField(spec, path));
  }
  const value = readField(spec, setting.name);
  return value === undefined || value === "" ? "–" : writtenValue(setting, value);
}

function groupKey(view: ExperimentView, grouping: Grouping): string {
  if (grouping.by === "sweep") return view.sweepId;
  return settingText(view, grouping.setting);
}
