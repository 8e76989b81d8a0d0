import { type PlotOptions, plot } from "@observablehq/plot";
import { parseHTML } from "linkedom";

/** Width of a chart, in the units of its viewBox; a narrower page scales it down. */
export const CHART_WIDTH = 720;

const FONT_SIZE = 12;
/** Digits of a coordinate beyond what can be seen. */
const LONG_NUMBER = /\d+\.\d{3,}/g;

/**
 * Draws a chart as static markup: an `svg`, or a `figure` where it has a legend.
 *
 * Colours are to be CSS variables or `currentColor`, so that it follows the page's.
 */
export function drawChart(options: PlotOptions): string {
  const { document } = parseHTML("<!doctype html><html><body></body></html>");
  const drawn = plot({
    document,
    width: CHART_WIDTH,
    style: { fontFamily: "inherit", fontSize: `${FONT_SIZE}px` },
    ...options,
  });
  const svg = drawn.tagName.toLowerCase() === "svg" ? drawn : drawn.querySelector(":scope > svg");
  svg?.setAttribute("role", "img");
  return drawn.outerHTML.replaceAll(LONG_NUMBER, (digits) => String(Number(digits).toFixed(1)));
}

/** The colour of the series at this place, of six distinguishable ones. */
export function seriesColor(at: number): string {
  return `var(--series-${(at % 6) + 1})`;
}
