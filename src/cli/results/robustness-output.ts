import type { Experiment } from "../../generated/stillhouse/v1/experiment.js";
import { ONE_DISTILLATION_NOTE } from "../../results/distillations.js";
import { overlapWarning } from "../../results/overlap-warning.js";
import type { Comparison, RelativeScores } from "../../results/relative-scores.js";
import type { Row } from "../../results/rows.js";
import { distilledLabel } from "../../results/spec-labels.js";
import { INTERVAL_RULE } from "../../statistics.js";
import {
  formatCount,
  formatDecimals,
  formatGainRange,
  formatMeanStd,
  formatPercent,
  formatSeconds,
  formatValue,
} from "../../text/format.js";
import { Table } from "../terminal/table.js";
import { wrapText } from "../terminal/wrap-text.js";
import { rowDocument, summaryDocument } from "./result-document.js";
import type { Condition, RobustnessResult } from "./robustness-result.js";
import { subjectOf } from "./subject.js";

const PLAIN_STYLE = { head: [], border: [] };

const LEGEND_COLUMNS = 100;
const LEGEND = `difference: mean to "as distilled" over learners with the same seeds, with its 95 %
interval (${INTERVAL_RULE});
rate: chosen on validation; IOR: improvement over the real samples, with one-hot labels and with the
labels of the distilled data for both; score: label-robust, 0 to 1.
${wrapText(ONE_DISTILLATION_NOTE, LEGEND_COLUMNS, 0)}`;

/** The conditions, the real samples and the relative scores as a person reads them. */
export function robustnessText(experiment: Experiment, result: RobustnessResult): string {
  const { spec } = experiment;
  const { conditions, baselines, scores } = result;
  const warning = overlapWarning(spec?.dataset?.found?.testRowsInTrain);
  return [
    `\n${subjectOf(spec)}`,
    `${distilledLabel(spec)}, artifact ${spec?.robustness?.artifactId}`,
    conditionTable(conditions),
    ...(baselines.length === 0 ? [] : [baselineTable(baselines)]),
    ...(scores.comparisons.length === 0 ? [] : [scoreTable(scores)]),
    ...(scores.hardLabelRecovery === null
      ? []
      : [
          `Hard-label recovery: ${formatPercent(scores.hardLabelRecovery)} points below the full data`,
        ]),
    LEGEND,
    ...(warning === undefined ? [] : [warning]),
    "",
  ].join("\n");
}

function conditionTable(conditions: readonly Condition[]): string {
  const table = new Table({
    head: ["the distilled data", "#GD", "rate", "accuracy (%)", "difference", "n", "train"],
    colAligns: ["left", "right", "right", "right", "right", "right", "right"],
    style: PLAIN_STYLE,
  });
  for (const { label, row, difference, failure } of conditions) {
    if (row !== undefined)
      table.push([label, ...cellsOf(row, difference === null ? "" : formatGainRange(difference))]);
    else if (failure === null) table.push([label, "", "", "not yet", "", "", ""]);
    else table.push([label, "", "", "failed", failure.slice(0, 40), "", ""]);
  }
  return table.toString();
}

function baselineTable(baselines: readonly Row[]): string {
  const table = new Table({
    head: ["beside it", "#GD", "rate", "accuracy (%)", "#train", "n", "train"],
    colAligns: ["left", "right", "right", "right", "right", "right", "right"],
    style: PLAIN_STYLE,
  });
  for (const row of baselines)
    table.push([row.label, ...cellsOf(row, formatCount(row.trainSamples))]);
  return table.toString();
}

function cellsOf(row: Row, special: string): string[] {
  const { gdSteps, chosenLr, accuracy, trainTimeS } = row;
  return [
    formatCount(gdSteps),
    chosenLr === null ? "" : formatValue(chosenLr),
    formatMeanStd(accuracy.mean, accuracy.std),
    special,
    String(accuracy.n),
    trainTimeS === null ? "" : formatSeconds(trainTimeS),
  ];
}

function scoreTable({ comparisons }: RelativeScores): string {
  const table = new Table({
    head: ["against real samples", "IOR, hard labels", "IOR, own labels", "score"],
    colAligns: ["left", "right", "right", "right"],
    style: PLAIN_STYLE,
  });
  for (const { id, iorHard, iorOwn, labelRobustScore } of comparisons) {
    table.push([
      id,
      iorHard === null ? "" : formatGainRange(iorHard),
      iorOwn === null ? "" : formatGainRange(iorOwn),
      labelRobustScore === null ? "" : formatDecimals(labelRobustScore, 3),
    ]);
  }
  return table.toString();
}

/** All of it as one JSON document; accuracies, differences and scores are fractions. */
export function robustnessDocument(experiment: Experiment, result: RobustnessResult): object {
  const { conditions, baselines, scores } = result;
  return {
    experiment_id: experiment.id,
    artifact_id: experiment.spec?.robustness?.artifactId ?? null,
    conditions: conditions.map(({ id, label, row, difference, failure }) => ({
      ...(row === undefined ? { failure } : rowDocument(row)),
      id,
      label,
      difference: difference === null ? null : summaryDocument(difference),
    })),
    baselines: baselines.map(rowDocument),
    relative_scores: {
      hard_label_recovery: scores.hardLabelRecovery,
      against: scores.comparisons.map(comparisonDocument),
    },
  };
}

function comparisonDocument({ id, iorHard, iorOwn, labelRobustScore }: Comparison): object {
  return {
    id,
    ior_hard_labels: iorHard === null ? null : summaryDocument(iorHard),
    ior_own_labels: iorOwn === null ? null : summaryDocument(iorOwn),
    label_robust_score: labelRobustScore,
  };
}
