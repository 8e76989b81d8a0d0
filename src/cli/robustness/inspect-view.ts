import { hiddenNumbers, type Inspected, sampleName } from "../../report/inspected.js";
import type { Numbers } from "../../report/number-table.js";
import { formatDecimals, formatPercent, formatRates } from "../../text/format.js";
import { printable } from "../../text/printable.js";
import { Table } from "../terminal/table.js";
import { wrapText } from "../terminal/wrap-text.js";

const DEFAULT_COLUMNS = 100;
const PLAIN_STYLE = { head: [], border: [] };

/**
 * Distilled data as a person reads it.
 *
 * @param accuracies of learners that are trained on it; absent where none were.
 */
export function renderInspected(
  inspected: Inspected,
  accuracies: Numbers | undefined,
  columns = DEFAULT_COLUMNS,
): string {
  const { dataset, model, objective, samples } = inspected;
  const { learning_rates: rates, encoder_lr_scale: scale } = inspected;
  const parts = samples.flatMap((sample, at) => {
    const { positions, attention, hidden, image } = sample;
    if (image !== undefined) return [];
    const tokens = positions.map(([nearest]) => nearest?.[0] ?? "").join(" ");
    const cosines = positions.map(([nearest]) => nearest?.[1] ?? 0);
    const mean = cosines.reduce((sum, value) => sum + value, 0) / cosines.length;
    return [
      `Sample ${at + 1}, ${printable(sampleName(inspected, sample))}`,
      `  ${wrapText(printable(tokens), columns, 2)}`,
      `  mean cosine to the nearest token ${formatDecimals(mean, 3)}`,
      ...(attention === null ? [] : [renderAttention(attention)]),
      ...(hidden === null ? [] : [`  hidden labels\n${renderNumbers(hiddenNumbers(hidden))}`]),
    ].join("\n");
  });
  return [
    `Data set ${printable(dataset)} · model ${printable(model)} · learning rate ${formatRates(rates, scale)}`,
    ...(objective === "" ? [] : [printable(objective)]),
    renderLabels(inspected),
    ...parts,
    ...(accuracies === undefined ? [] : [renderNumbers(accuracies)]),
    "",
  ].join("\n\n");
}

function renderNumbers({ head, rows }: Numbers): string {
  const table = new Table({
    head: [...head],
    colAligns: head.map((_, at) => (at === 0 ? "left" : "right")),
    style: PLAIN_STYLE,
  });
  for (const row of rows) table.push([...row]);
  return table.toString();
}

function renderLabels(inspected: Inspected): string {
  const { class_names: names, samples } = inspected;
  const table = new Table({
    head: ["labels of", ...names],
    colAligns: ["left", ...names.map(() => "right" as const)],
    style: PLAIN_STYLE,
  });
  samples.forEach((sample, at) => {
    const name = `${at + 1} ${sampleName(inspected, sample)}`;
    table.push([name, ...sample.labels.map((label) => formatDecimals(label, 3))]);
  });
  return table.toString();
}

/** For each layer and head, where the first token is to look, and with how much. */
function renderAttention(attention: readonly (readonly (readonly number[])[])[]): string {
  const heads = attention[0] ?? [];
  const table = new Table({
    head: ["layer", ...heads.map((_, head) => `head ${head + 1}`)],
    style: PLAIN_STYLE,
  });
  attention.forEach((layer, at) => {
    table.push([`${at + 1}`, ...layer.map(peakText)]);
  });
  return `  attention labels of the first token: position (share in %) of the largest\n${table}`;
}

function peakText(probabilities: readonly number[]): string {
  const largest = Math.max(...probabilities);
  return `${probabilities.indexOf(largest)} (${formatPercent(largest)})`;
}
