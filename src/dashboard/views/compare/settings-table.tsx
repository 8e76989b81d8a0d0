import { INTERVAL_RULE_OF_DISTILLATIONS } from "../../../statistics.js";
import { type Comparison, hasSeveralDistillations, settingsTable } from "../../model/comparison.js";
import { ColumnHeads } from "../../parts/column-heads.js";
import { ScrollTable } from "../../parts/scroll.js";

/** Over the last columns. */
const NUMBERS = [
  "Distillations",
  "Accuracy %",
  "± between distillations",
  "95 % interval",
  "Difference to the first",
];

/** The settings of the compared experiments over their distillations, where there are several. */
export function SettingsTable({ comparison }: { readonly comparison: Comparison }) {
  if (!hasSeveralDistillations(comparison)) return null;
  const { head, rows } = settingsTable(comparison);
  const numWords = head.length - NUMBERS.length;
  return (
    <section class="section" aria-labelledby="settings-title">
      <h2 id="settings-title">Settings over their distillations</h2>
      <ScrollTable label="Settings over their distillations" class="table">
        <ColumnHeads words={["Setting", ...head.slice(1, numWords)]} numbers={NUMBERS} />
        <tbody>
          {rows.map((cells) => (
            <tr key={cells.join("|")}>
              {cells.map((cell, at) => (
                <td key={head[at]} class={at < numWords ? undefined : "end numeric"}>
                  {cell || "–"}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </ScrollTable>
      <p class="muted">
        Accuracy: mean of the distillations ± between their learners. 95 % interval:{" "}
        {INTERVAL_RULE_OF_DISTILLATIONS}. Difference: over distillations with the same seeds, ±
        between them.
      </p>
    </section>
  );
}
