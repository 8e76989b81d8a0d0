import { formatMeanStd } from "../../../text/format.js";
import { accuracyFigureHeight, drawAccuracies } from "../../charts/comparison-figures.js";
import { exportFigure } from "../../charts/export-figure.js";
import { PAPER_STYLE, screenStyle } from "../../charts/figure-style.js";
import { PlotFigure } from "../../charts/plot-figure.js";
import { type Comparison, comparisonTable } from "../../model/comparison.js";
import { Figure } from "../../parts/figure.js";
import { FigureExports } from "./figure-exports.js";

/** Mean accuracies with their intervals. */
export function AccuracyFigure({ comparison }: { readonly comparison: Comparison }) {
  const { experiments } = comparison;
  const measured = experiments.filter(({ mean }) => mean !== undefined);
  if (measured.length === 0) return null;
  return (
    <Figure
      title="Accuracy"
      summary="The mean over test learners and its 95 % interval."
      controls={
        <FigureExports
          label="Accuracy"
          onExport={(format) =>
            exportFigure("accuracy", format, (marks, width) =>
              drawAccuracies(marks, width, experiments, PAPER_STYLE),
            )
          }
        />
      }
      table={() => comparisonTable(comparison)}
    >
      <PlotFigure
        description={measured
          .map(({ label, mean = 0, std }) => `${label}: ${formatMeanStd(mean, std)} %`)
          .join("; ")}
        drawKey={JSON.stringify(experiments)}
        draw={(marks, width) => drawAccuracies(marks, width, experiments, screenStyle())}
        minHeight={accuracyFigureHeight(experiments)}
      />
    </Figure>
  );
}
