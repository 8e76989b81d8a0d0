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

type Choices = readonly (readonly [value: string, label: string])[];

const STATES: Choices = [
  ["", "Any state"],
  [State.RUNNING, "Running"],
  [State.QUEUED, "Queued"],
  [State.SUCCEEDED, "Succeeded"],
  [State.FAILED, "Failed"],
  [State.CANCELLED, "Cancelled"],
];

const TEXT_FILTERS = [
  ["dataset", "Data set"],
  ["model", "Model"],
  ["owner", "Owner"],
] as const;

/** After this long without a key press, typing counts as finished. */
const WAIT_MS = 250;

type TextFilter = "text" | "dataset" | "model" | "owner";

export interface FiltersProps {
  readonly values: FilterValues;
  readonly settings: readonly SettingView[];
  readonly onChange: (values: FilterValues) => void;
}

export function Filters({ values, settings, onChange }: FiltersProps) {
  const { typed, type, choose } = useTypedFilter(values, onChange);
  const flags = settings.map(({ flag }) => flag).filter((flag) => flag !== "name");
  const grouping: Choices = [
    ["", "Nothing"],
    ["sweep", "Sweep"],
    ...flags.map((flag) => [flag, flag] as const),
  ];
  return (
    <search class="filters">
      <label class="filter grow">
        <span>Name, id or setting</span>
        <input
          type="search"
          placeholder="such as first, or sl=none steps=3"
          value={typed.text}
          onInput={({ currentTarget }) => type("text", currentTarget.value)}
        />
      </label>
      <ChoiceFilter
        label="State"
        value={typed.state}
        choices={STATES}
        onChoose={(state) => choose({ state })}
      />
      {TEXT_FILTERS.map(([name, label]) => (
        <label key={name} class="filter">
          <span>{label}</span>
          <input
            type="text"
            placeholder="any"
            value={typed[name]}
            onInput={({ currentTarget }) => type(name, currentTarget.value)}
          />
        </label>
      ))}
      <ChoiceFilter
        label="Group by"
        value={typed.groupBy}
        choices={grouping}
        onChoose={(groupBy) => choose({ groupBy })}
      />
      <ColumnFilter
        flags={flags}
        shown={typed.columns}
        onChange={(columns) => choose({ columns })}
      />
    </search>
  );
}

/** Typed text counts after a pause, a choice at once. */
function useTypedFilter(values: FilterValues, onChange: FiltersProps["onChange"]) {
  const [typed, setTyped] = useState(values);

  // Dependencies: only what was typed starts the wait
  useEffect(() => {
    if (typed === values) return;
    const timer = setTimeout(() => onChange(typed), WAIT_MS);
    return () => clearTimeout(timer);
  }, [typed]);

  const type = (name: TextFilter, text: string) => setTyped({ ...typed, [name]: text });
  const choose = (change: Partial<FilterValues>) => {
    const next = { ...typed, ...change };
    setTyped(next);
    onChange(next);
  };
  return { typed, type, choose };
}

interface ChoiceFilterProps {
  readonly label: string;
  readonly value: string;
  readonly choices: Choices;
  readonly onChoose: (value: string) => void;
}

function ChoiceFilter({ label, value, choices, onChoose }: ChoiceFilterProps) {
  return (
    <label class="filter">
      <span>{label}</span>
      <select value={value} onChange={({ currentTarget }) => onChoose(currentTarget.value)}>
        {choices.map(([value, label]) => (
          <option key={value} value={value}>
            {label}
          </option>
        ))}
      </select>
    </label>
  );
}

interface ColumnFilterProps {
  readonly flags: readonly string[];
  readonly shown: readonly string[];
  readonly onChange: (shown: readonly string[]) => void;
}

/** Adds the column of a setting to the table, or removes it; the select itself keeps no value. */
function ColumnFilter({ flags, shown, onChange }: ColumnFilterProps) {
  return (
    <label class="filter">
      <span>Column</span>
      <select
        value=""
        onChange={({ currentTarget }) => {
          const flag = currentTarget.value;
          onChange(shown.includes(flag) ? shown.filter((each) => each !== flag) : [...shown, flag]);
          currentTarget.value = "";
        }}
      >
        <option value="">Add …</option>
        {flags.map((flag) => (
          <option key={flag} value={flag}>
            {shown.includes(flag) ? `✓ ${flag}` : flag}
          </option>
        ))}
      </select>
    </label>
  );
}

/** The query for the server, which knows three orders; the page sorts by other columns itself. */
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
