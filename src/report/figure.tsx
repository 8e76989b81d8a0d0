import type { ComponentChildren } from "preact";
import { type Numbers, NumberTable } from "./number-table.js";

interface FigureProps {
  /** Markup of `drawChart`. */
  readonly chart: string;
  readonly caption: ComponentChildren;
  /** The numbers of the chart, for readers who cannot see it or want the values. */
  readonly numbers: Numbers;
}

/** A chart with its caption, and its numbers folded below it. */
export function Figure({ chart, caption, numbers }: FigureProps) {
  return (
    <figure class="chart">
      <div dangerouslySetInnerHTML={{ __html: chart }} />
      <figcaption>{caption}</figcaption>
      <details>
        <summary>Numbers</summary>
        <NumberTable {...numbers} />
      </details>
    </figure>
  );
}
