import { axisY, barX, gridX, ruleX, text } from "@observablehq/plot";
import { formatDecimals } from "../text/format.js";
import { drawChart } from "./chart.js";

const BAR_HEIGHT = 24;
const MARGINS = 60;
/** For the numbers at the ends of the bars. */
const VALUE_ROOM = 36;
const MOST_NAME_LETTERS = 28;

/**
 * The labels of one distilled sample as bars.
 *
 * @param labels one per class: probabilities, or any real numbers.
 */
export function labelChart(classNames: readonly string[], labels: readonly number[]): string {
  const bars = labels.map((value, at) => ({ name: classNames[at] ?? `${at}`, value }));
  return drawChart({
    ariaLabel: "Label of the sample for each class",
    width: 480,
    height: bars.length * BAR_HEIGHT + MARGINS,
    marginLeft: 150,
    marginRight: 20,
    marginBottom: 40,
    x: { label: "label", labelAnchor: "center", tickSize: 0, inset: VALUE_ROOM },
    y: { label: null, domain: classNames },
    marks: [
      gridX({ stroke: "var(--line)", strokeOpacity: 1 }),
      axisY({ tickSize: 0, lineWidth: MOST_NAME_LETTERS / 2, textOverflow: "ellipsis" }),
      barX(bars, { y: "name", x: "value", fill: "var(--series-1)", rx2: 2 }),
      text(
        bars.filter(({ value }) => value >= 0),
        valueText("start", 4),
      ),
      text(
        bars.filter(({ value }) => value < 0),
        valueText("end", -4),
      ),
      ruleX([0], { stroke: "var(--ink)" }),
    ],
  });
}

function valueText(textAnchor: "start" | "end", dx: number) {
  const shown = (bar: { value: number }) => formatDecimals(bar.value, 2);
  return { y: "name", x: "value", text: shown, textAnchor, dx };
}
