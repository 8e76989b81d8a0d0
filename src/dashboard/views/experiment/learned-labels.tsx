import { formatDecimals, formatValue } from "../../../text/format.js";
import { type FigureStyle, lettersOf, screenStyle } from "../../charts/figure-style.js";
import { type Marks, PlotFigure } from "../../charts/plot-figure.js";
import type { Inspection } from "../../model/inspection-view.js";
import { Figure } from "../../parts/figure.js";
import { themeColor } from "../../parts/theme.js";

const BAR_HEIGHT = 22;
/** Above each sample, for its name. */
const TITLE_HEIGHT = 44;
const MAX_SAMPLES = 24;

interface Bar {
  readonly sample: string;
  readonly of: string;
  readonly label: number;
  readonly isOwn: boolean;
}

/** The label of each sample as bars, one bar per class. */
export function LearnedLabels({ inspection }: { readonly inspection: Inspection }) {
  const { samples, classNames } = inspection;
  const bars = barsOf(inspection);
  const numColumns = Math.min(samples.length, 4);
  const numRows = Math.ceil(Math.min(samples.length, MAX_SAMPLES) / numColumns);
  const height = numRows * (classNames.length * BAR_HEIGHT + TITLE_HEIGHT) + 20;
  return (
    <Figure
      title="Labels"
      summary="The label of each sample, by class; its own class is highlighted."
      table={() => ({
        head: ["sample", ...classNames],
        rows: samples.map(({ className, labels }, at) => [
          `${at + 1} ${className}`,
          ...labels.map((label) => formatDecimals(label, 3)),
        ]),
      })}
    >
      <PlotFigure
        description={describe(inspection)}
        drawKey={JSON.stringify(bars)}
        draw={(marks, width) => drawLabels(marks, width, height, bars, numColumns)}
        minHeight={height}
      />
    </Figure>
  );
}

function barsOf({ samples, classNames }: Inspection): Bar[] {
  return samples.slice(0, MAX_SAMPLES).flatMap(({ className, labels }, at) =>
    labels.map((label, index) => ({
      sample: `${at + 1} ${className}`,
      of: classNames[index] ?? `class ${index + 1}`,
      label,
      isOwn: classNames[index] === className,
    })),
  );
}

function describe({ samples, classNames }: Inspection): string {
  const sentences = samples.map(({ className, labels }, at) => {
    const parts = labels.map((label, index) => `${classNames[index]} ${formatValue(label)}`);
    return `Sample ${at + 1}, ${className}: ${parts.join(", ")}`;
  });
  return sentences.join(". ");
}

function drawLabels(
  marks: Marks,
  width: number,
  height: number,
  bars: readonly Bar[],
  numColumns: number,
): Element {
  const names = [...new Set(bars.map(({ sample }) => sample))];
  const columns = width < 520 ? 1 : width < 800 ? Math.min(2, numColumns) : numColumns;
  const numRows = Math.ceil(names.length / columns);
  const rowHeight = (bars.length / Math.max(1, names.length)) * BAR_HEIGHT + TITLE_HEIGHT;
  const style = screenStyle();
  return marks.plot({
    width,
    height: columns === numColumns ? height : numRows * rowHeight + 20,
    marginLeft: 74,
    marginTop: 26,
    marginRight: 40,
    style: lettersOf(style),
    x: { axis: null, nice: true },
    y: { label: null, domain: [...new Set(bars.map(({ of }) => of))], tickSize: 0, padding: 0.25 },
    fx: { axis: null, padding: 0.02 },
    fy: { axis: null, padding: TITLE_HEIGHT / 2 / rowHeight },
    marks: labelMarks(marks, bars, facetsOf(names, columns), style),
  });
}

/** Samples row by row: the column (fx) and the row (fy) of the one that a bar belongs to. */
function facetsOf(names: readonly string[], columns: number) {
  const place = (sample: string) => names.indexOf(sample);
  return {
    fx: ({ sample }: Bar) => place(sample) % columns,
    fy: ({ sample }: Bar) => Math.floor(place(sample) / columns),
  };
}

function labelMarks(
  { barX, ruleX, text }: Marks,
  bars: readonly Bar[],
  facets: ReturnType<typeof facetsOf>,
  { ink, muted }: FigureStyle,
) {
  const titles = bars.filter(
    ({ sample }, at) => bars.findIndex((bar) => bar.sample === sample) === at,
  );
  return [
    barX(bars, {
      ...facets,
      x: "label",
      y: "of",
      fill: ({ isOwn }: Bar) => themeColor(isOwn ? "--series-1" : "--series-1-pale"),
      rx: 2,
    } as never),
    text(bars, {
      ...facets,
      x: (bar: Bar) => Math.max(0, bar.label),
      y: "of",
      text: (bar: Bar) => formatValue(bar.label),
      textAnchor: "start",
      dx: 5,
      fill: muted,
    } as never),
    ruleX([0], { stroke: themeColor("--line-strong") }),
    text(titles, {
      ...facets,
      text: "sample",
      frameAnchor: "top-left",
      dy: -18,
      dx: -66,
      fill: ink,
      fontWeight: 500,
    } as never),
  ];
}
