import { useEffect, useState } from "preact/hooks";
import { sharesOfMatrix } from "../../../results/confusion.js";
import type { Row } from "../../../results/rows.js";
import { formatCount, formatPercent } from "../../../text/format.js";
import { ScrollTable } from "../../parts/scroll.js";
import { classNamesOf } from "../../server/api.js";

export interface ConfusionMatrixProps {
  readonly result: Row;
  /** In the order of their indices; absent from experiments that an earlier version stored. */
  readonly classNames: readonly string[] | undefined;
  /** The artifact that names the classes where `classNames` is absent. */
  readonly artifactId: string | undefined;
}

/** Test rows by true and predicted class, the mean over the learners, as a table. */
export function ConfusionMatrix({ result, classNames, artifactId }: ConfusionMatrixProps) {
  const ofArtifact = useClassNames(classNames === undefined ? artifactId : undefined);
  const names = classNames ?? ofArtifact;
  const rows = sharesOfMatrix((result.confusion ?? []).flat());
  const name = (at: number) => names[at] ?? `class ${at + 1}`;
  return (
    <figure class="figure">
      <figcaption class="figure-head">
        <span class="figure-title">Confusion, {result.label.toLowerCase()}</span>
        <span class="figure-summary">
          Share of each true class (row) by what was predicted (column), %; {learnersText(result)}.
        </span>
      </figcaption>
      <ScrollTable label={`Confusion, ${result.label}`} class="confusion">
        <thead>
          <tr>
            <td />
            {rows.map((_, at) => (
              <th key={name(at)} scope="col">
                {name(at)}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map((row, at) => (
            <tr key={name(at)}>
              <th scope="row">{name(at)}</th>
              {row.map((share, column) => (
                <td
                  key={name(column)}
                  class={share > 0.55 ? "heat heat-strong" : "heat"}
                  style={{ "--share": `${Math.round(share * 100)}%` }}
                >
                  {formatPercent(share)}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </ScrollTable>
    </figure>
  );
}

function learnersText({ learners }: Row): string {
  const count = learners.size;
  return count === 1 ? "of 1 learner" : `mean of ${formatCount(count)} learners`;
}

function useClassNames(artifactId: string | undefined): readonly string[] {
  const [names, setNames] = useState<readonly string[]>([]);
  useEffect(() => {
    if (artifactId === undefined) return;
    const abort = new AbortController();
    classNamesOf(artifactId, abort.signal).then(setNames, () => undefined);
    return () => abort.abort();
  }, [artifactId]);
  return names;
}
