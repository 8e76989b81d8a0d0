import type { RelativeScores as Scores } from "../../../results/relative-scores.js";
import { formatDecimals } from "../../../text/format.js";
import { improvementText, recoveryText } from "../../model/score-view.js";
import { ColumnHeads } from "../../parts/column-heads.js";
import { ScrollTable } from "../../parts/scroll.js";

/** The scores that the command `robustness` prints; nothing where none can be computed. */
export function RelativeScores({ scores }: { readonly scores: Scores }) {
  const { comparisons, hardLabelRecovery } = scores;
  const recovery = recoveryText(hardLabelRecovery);
  if (comparisons.length === 0 && recovery === undefined) return null;
  return (
    <figure class="figure">
      <figcaption class="figure-head">
        <span class="figure-title">Relative scores</span>
        <span class="figure-summary">
          IOR: improvement over the real samples in points, with its 95 % interval; score:
          label-robust, 0 to 1. {recovery}
        </span>
      </figcaption>
      {comparisons.length === 0 ? null : (
        <ScrollTable label="Relative scores" class="table">
          <ColumnHeads
            words={["Against real samples"]}
            numbers={["IOR, hard labels", "IOR, own labels", "Score"]}
          />
          <tbody>
            {comparisons.map(({ id, iorHard, iorOwn, labelRobustScore }) => (
              <tr key={id}>
                <th scope="row">{id}</th>
                <td class="end numeric">{improvementText(iorHard)}</td>
                <td class="end numeric">{improvementText(iorOwn)}</td>
                <td class="end numeric">{formatDecimals(labelRobustScore, 3)}</td>
              </tr>
            ))}
          </tbody>
        </ScrollTable>
      )}
    </figure>
  );
}
