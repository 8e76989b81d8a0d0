import { DistilledData } from "./distilled-data.js";
import type { Inspected } from "./inspected.js";
import { type Numbers, NumberTable } from "./number-table.js";
import { renderPage } from "./page.js";

/**
 * Distilled data as a page of its own.
 *
 * @param accuracies of learners that are trained on it; absent where none were.
 * @param command what shows it again.
 */
export function artifactPage(
  inspected: Inspected,
  accuracies: Numbers | undefined,
  command: string,
): string {
  const { dataset, model, objective } = inspected;
  return renderPage({
    title: "Distilled data",
    subject: [`Data set ${dataset}`, `model ${model}`, objective].filter(Boolean).join(" · "),
    children: (
      <>
        {inspected.sheet === undefined && (
          <p>
            Each distilled vector beside the tokens of the vocabulary that are nearest to it,
            embedded at its position as it enters the first block. What reads well this way need not
            teach well.
          </p>
        )}
        {accuracies !== undefined && <NumberTable {...accuracies} />}
        <DistilledData inspected={inspected} />
        <p>
          To see it again: <code>{command}</code>
        </p>
      </>
    ),
  });
}
