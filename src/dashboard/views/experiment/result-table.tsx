import type { Row } from "../../../results/rows.js";
import {
  formatBytes,
  formatCount,
  formatInterval,
  formatMeanStd,
  formatPercent,
  formatSeconds,
  formatValue,
} from "../../../text/format.js";
import { ColumnHeads } from "../../parts/column-heads.js";
import { ScrollTable } from "../../parts/scroll.js";

const NUMBERS = [
  "Samples",
  "GD steps",
  "Accuracy %",
  "95 % interval",
  "Macro F1 %",
  "Learners",
  "Training time",
  "Stored",
] as const;
const OF_ATTACKS = ["Attack success %", "Other classes %"] as const;

/** Accuracies of learners, one row per kind of training data. */
export function ResultTable({ results }: { readonly results: readonly Row[] }) {
  const isAttack = results.some(({ attack }) => attack !== null);
  const numbers = isAttack ? [...NUMBERS, ...OF_ATTACKS] : NUMBERS;
  return (
    <ScrollTable label="Accuracy by training data" class="table">
      <ColumnHeads words={["Trained on"]} numbers={numbers} />
      <tbody>
        {results.map((row) => (
          <ResultRow key={`${row.kind} ${row.id}`} row={row} />
        ))}
      </tbody>
    </ScrollTable>
  );
}

function ResultRow({ row }: { readonly row: Row }) {
  const { id, label, accuracy, macroF1, trainSamples, gdSteps, chosenLr } = row;
  const { trainTimeS, storedBytes, attack } = row;
  return (
    <tr class={id === "distilled" ? "highlight" : ""}>
      <th scope="row">
        {label}
        {chosenLr === null ? null : (
          <span class="row-sub">learning rate {formatValue(chosenLr)}, chosen on validation</span>
        )}
      </th>
      <td class="end numeric">{formatCount(trainSamples)}</td>
      <td class="end numeric">{formatCount(gdSteps)}</td>
      <td class="end numeric strong">{formatMeanStd(accuracy.mean, accuracy.std)}</td>
      <td class="end numeric">{formatInterval(accuracy.interval95)}</td>
      <td class="end numeric">{formatPercent(macroF1)}</td>
      <td class="end numeric">{accuracy.n}</td>
      <td class="end numeric">{trainTimeS === null ? "" : formatSeconds(trainTimeS)}</td>
      <td class="end numeric">{storedBytes === null ? "" : formatBytes(storedBytes)}</td>
      {attack === null
        ? null
        : [attack.success, attack.others].map(({ mean, std }, at) => (
            <td key={OF_ATTACKS[at]} class="end numeric strong">
              {formatMeanStd(mean, std)}
            </td>
          ))}
    </tr>
  );
}
