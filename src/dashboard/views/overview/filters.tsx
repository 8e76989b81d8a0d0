import { useEffect, useState } from "preact/hooks";
import { State } from "../../../generated/page/stillhouse/v1/experiment.js";
import { ExperimentOrder } from "../../../generated/page/stillhouse/v1/service.js";
import type { Sorting } from "../../model/experiment-table.js";
import type { SettingView } from "../../model/settings-view.js";
import type { ExperimentQuery } from "../../server/api.js";

export interface FilterValues {
  readonly text: string;
  readonly state: string;
  readonly dataset: string;
  readonly model: string;
  readonly owner: string;
  /** "", "sweep", or the flag of a setting. */
  readonly groupBy: string;
  /** Flags of settings that are shown as columns. */
  readonly columns: readonly string[];
}

export const NO_FILTER: FilterValues = {
  text: "",
  state: "",
  dataset: "",
  model: "",
  owner: "",
  groupBy: "",
  columns: [],
};

const STATES: readonly [value: string, label: string][] = [
  ["", "Any state"],
  [State.RUNNING, "Running"],
  [State.QUEUED, "Queued"],
  [State.SUCCEEDED, "Succeeded"],
  [State.FAILED, "Failed"],
  [State.CANCELLED, "Cancelled"],
];

/** After this long without a key, typing counts as finished. */
const WAIT_MS = 250;

type TextFilter = "text" | "dataset" | "model" | "owner";

export interface FiltersProps {
  readonly values: FilterValues;
  readonly settings: readonly SettingView[];
  readonly onChange: (values: FilterValues) => void;
}

export function Filters({ values, settings, onChange }: FiltersProps) {
  const [typed, setTyped] = useState(values);

  // Dependencies: only what was typed starts the wait
  useEffect(() => {
    if (typed === values) return;
    const timer = setTimeout(() => onChange(typed), WAIT_MS);
    return () => clearTimeout(timer);
  }, [typed]);

  const type = (name: TextFilter) => (event: { readonly currentTarget: { value: string } }) =>
    setTyped({ ...typed, [name]: event.currentTarget.value });
  const choose = (change: Partial<FilterValues>) => {
    const next = { ...typed, ...change };
    setTyped(next);
    onChange(next);
  };
  const flags = settings.map(({ flag }) => flag).filter((flag) => flag !== "name");
  return (
    <search class="filters">
      <label class="filter grow">
        <span>Name, id or setting</span>
        <input
          type="search"
          placeholder="such as first, or sl=none steps=3"
          value={typed.text}
          onInput={type("text")}
        />
      </label>
      <label class="filter">
        <span>State</span>
        <select
          value={typed.state}
          onChange={({ currentTarget }) => choose({ state: currentTarget.value })}
        >
          {STATES.map(([value, label]) => (
            <option key={value} value={value}>
              {label}
            </option>
          ))}
        </select>
      </label>
      <label class="filter">
        <span>Data set</span>
        <input type="text" placeholder="any" value={typed.dataset} onInput={type("dataset")} />
      </label>
      <label class="filter">
        <span>Model</span>
        <input type="text" placeholder="any" value={typed.model} onInput={type("model")} />
      </label>
      <label class="filter">
        <span>Owner</span>
        <input type="text" placeholder="any" value={typed.owner} onInput={type("owner")} />
      </label>
      <label class="filter">
        <span>Group by</span>
        <select
          value={typed.groupBy}
          onChange={({ currentTarget }) => choose({ groupBy: currentTarget.value })}
        >
          <option value="">Nothing</option>
          <option value="sweep">Sweep</option>
          {flags.map((flag) => (
            <option key={flag} value={flag}>
              {flag}
            </option>
          ))}
        </select>
      </label>
      <label class="filter">
        <span>Column</span>
        <select
          value=""
          onChange={({ currentTarget }) => {
            const flag = currentTarget.value;
            const { columns } = typed;
            const isShown = columns.includes(flag);
            choose({
              columns: isShown ? columns.filter((each) => each !== flag) : [...columns, flag],
            });
            currentTarget.value = "";
          }}
        >
          <option value="">Add …</option>
          {flags.map((flag) => (
            <option key={flag} value={flag}>
              {typed.columns.includes(flag) ? `✓ ${flag}` : flag}
            </option>
          ))}
        </select>
      </label>
    </search>
  );
}

/** What the server is asked for; it knows three orders, the page sorts what it has read. */
export function serverQuery(
  values: FilterValues,
  { column, isDescending }: Sorting,
): ExperimentQuery {
  const { text, state, dataset, model, owner } = values;
  const order =
    column === "accuracy" && isDescending
      ? ExperimentOrder.MOST_ACCURATE_FIRST
      : column === "created" && !isDescending
        ? ExperimentOrder.OLDEST_FIRST
        : ExperimentOrder.NEWEST_FIRST;
  return {
    text: text.trim(),
    states: Object.values(State).filter((one) => one === state),
    dataset: dataset.trim(),
    model: model.trim(),
    owner: owner.trim(),
    order,
  };
}
