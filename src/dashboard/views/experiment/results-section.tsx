import { ONE_DISTILLATION_NOTE } from "../../../results/distillations.js";
import { overlapWarning } from "../../../results/overlap-warning.js";
import type { ExperimentView } from "../../model/experiment-view.js";
import { Empty } from "../../parts/notice.js";
import { ConfusionMatrix } from "./confusion-matrix.js";
import { Distribution } from "./distribution.js";
import { RelativeScores } from "./relative-scores.js";
import { ReplayResults } from "./replay-results.js";
import { ResultTable } from "./result-table.js";

/** The accuracy of the distilled data beside its baselines, learner by learner. */
export function ResultsSection({ view }: { readonly view: ExperimentView }) {
  const { results } = view;
  const found = view.spec.dataset?.found;
  const warning = overlapWarning(found?.testRowsInTrain);
  return (
    <section aria-labelledby="results-title" class="section">
      <h2 id="results-title">Results</h2>
      {results.length === 0 ? (
        <Empty>No learner has been tested yet.</Empty>
      ) : (
        <>
          {warning === undefined ? null : <p class="notice">{warning}</p>}
          {view.spec.replay ? (
            <ReplayResults views={view.replay} />
          ) : (
            <ResultTable results={results} />
          )}
          {view.spec.robustness ? (
            <>
              <p class="muted">{ONE_DISTILLATION_NOTE}</p>
              <RelativeScores scores={view.scores} />
            </>
          ) : null}
          <div class="chart-grid">
            <Distribution results={results} />
            {results
              .filter(({ confusion }) => confusion !== null)
              .filter(({ id }) => id === "distilled" || id === "full")
              .map((result) => (
                <ConfusionMatrix
                  key={result.id}
                  result={result}
                  classNames={found?.classNames}
                  artifactId={view.artifactId || undefined}
                />
              ))}
          </div>
        </>
      )}
    </section>
  );
}
