import { INTERVAL_RULE } from "../../../statistics.js";
import { formatGain, formatInterval, formatMeanStd } from "../../../text/format.js";
import type { ComparedView, Comparison } from "../../model/comparison.js";
import { compareAddress } from "../../parts/addresses.js";
import { ColumnHeads } from "../../parts/column-heads.js";
import { ScrollTable } from "../../parts/scroll.js";

export interface ComparisonTableProps {
  readonly comparison: Comparison;
  readonly ids: readonly string[];
}

/** The compared experiments with the settings in which they differ and their accuracies. */
export function ComparisonTable({ comparison, ids }: ComparisonTableProps) {
  const { differences, experiments } = comparison;
  return (
    <>
      <ScrollTable label="Comparison" class="table">
        <ColumnHeads
          words={["Experiment", ...differences.map(({ field }) => field)]}
          numbers={["Accuracy %", "95 % interval", "Difference to the first"]}
          hasTools
        />
        <tbody>
          {experiments.map((one, at) => (
            <ComparedRow
              key={one.id}
              experiment={one}
              place={at}
              values={differences.map(({ field, values }) => [field, values[at] || "–"])}
              ids={ids}
            />
          ))}
        </tbody>
      </ScrollTable>
      <p class="muted">
        ± and 95 % interval are between learners; interval: {INTERVAL_RULE}. {comparison.note}
      </p>
      {differences.length === 0 ? <p class="muted">Their settings are the same.</p> : null}
    </>
  );
}

interface ComparedRowProps {
  readonly experiment: ComparedView;
  readonly place: number;
  /** Its values of the settings in which the experiments differ, by field. */
  readonly values: readonly (readonly [field: string, value: string])[];
  readonly ids: readonly string[];
}

function ComparedRow({ experiment, place, values, ids }: ComparedRowProps) {
  const { id, label, mean, std, interval } = experiment;
  return (
    <tr>
      <th scope="row">
        <span class={`series-mark series-${(place % 7) + 1}`} aria-hidden="true" />
        <a class="row-title" href={`/experiments/${id}`}>
          {label}
        </a>
        <span class="row-sub">{id}</span>
      </th>
      {values.map(([field, value]) => (
        <td key={field}>{value}</td>
      ))}
      <td class="end numeric strong">{mean === undefined ? "–" : formatMeanStd(mean, std)}</td>
      <td class="end numeric">{formatInterval(interval)}</td>
      <td class="end numeric">
        <Gain experiment={experiment} isReference={place === 0} />
      </td>
      <td class="end row-tools">
        {place === 0 ? null : (
          <a href={compareAddress([id, ...ids.filter((other) => other !== id)])}>
            Make it the first
          </a>
        )}
        {ids.length > 2 ? (
          <a href={compareAddress(ids.filter((other) => other !== id))}>Leave out</a>
        ) : null}
      </td>
    </tr>
  );
}

interface GainProps {
  readonly experiment: ComparedView;
  readonly isReference: boolean;
}

function Gain({ experiment, isReference }: GainProps) {
  const { gain, gainInterval, sharedInits } = experiment;
  if (gain === undefined) return isReference ? <span class="muted">reference</span> : <>–</>;
  const interval =
    gainInterval === undefined
      ? ""
      : `${formatGain(gainInterval[0])} to ${formatGain(gainInterval[1])}, `;
  return (
    <>
      {formatGain(gain)}
      <span class="row-sub">
        {interval}
        {sharedInits} shared inits
      </span>
    </>
  );
}
