import { formatValue } from "../../../text/format.js";
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

/** The label of each sample as bars, one per class. */
export function LearnedLabels({
  inspection: { samples, classNames },
}: {
  readonly inspection: Inspection;
}) {
  const bars = samples.slice(0, MAX_SAMPLES).flatMap(({ className, labels }, at) =>
    labels.map(
      (label, index): Bar => ({
        sample: `${at + 1} ${className}`,
        of: classNames[index] ?? `class ${index + 1}`,
        label,
        isOwn: classNames[index] === className,
      }),
    ),
  );
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
          ...labels.map((label) => label.toFixed(3)),
        ]),
      })}
    >
      <PlotFigure
        description={samples
          .map(({ className, labels }, at) => {
            const parts = labels.map(
              (label, index) => `${classNames[index]} ${formatValue(label)}`,
            );
            return `Sample ${at + 1}, ${className}: ${parts.join(", ")}`;
          })
          .join(". ")}
        drawKey={JSON.stringify(bars)}
        draw={(marks, width) => drawLabels(marks, width, height, bars, numColumns)}
        minHeight={height}
      />
    </Figure>
  );
}

function drawLabels(
  { plot, barX, ruleX, text }: Marks,
  width: number,
  height: number,
  bars: readonly Bar[],
  numColumns: number,
): Element {
  const ink = themeColor("--ink");
  const names = [...new Set(bars.map(({ sample }) => sample))];
  const columns = width < 520 ? 1 : width < 800 ? Math.min(2, numColumns) : numColumns;
  const numRows = Math.ceil(names.length / columns);
  const numClasses = bars.length / Math.max(1, names.length);
  const rowHeight = numClasses * BAR_HEIGHT + TITLE_HEIGHT;
  const place = (sample: string) => names.indexOf(sample);
  const facets = {
    fx: ({ sample }: Bar) => place(sample) % columns,
    fy: ({ sample }: Bar) => Math.floor(place(sample) / columns),
  };
  const titles = bars.filter(({ isOwn }, at) => isOwn || at % numClasses === 0);
  return plot({
    width,
    height: columns === numColumns ? height : numRows * rowHeight + 20,
    marginLeft: 74,
    marginTop: 26,
    marginRight: 40,
    style: {
      background: "none",
      color: themeColor("--muted"),
      fontFamily: "inherit",
      fontSize: "12px",
    },
    x: { axis: null, nice: true },
    y: { label: null, domain: [...new Set(bars.map(({ of }) => of))], tickSize: 0, padding: 0.25 },
    fx: { axis: null, padding: 0.02 },
    fy: { axis: null, padding: TITLE_HEIGHT / 2 / rowHeight },
    marks: [
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
        fill: themeColor("--muted"),
      } as never),
      ruleX([0], { stroke: themeColor("--line-strong") }),
      text(
        titles.filter((bar, at) => titles.findIndex(({ sample }) => sample === bar.sample) === at),
        {
          ...facets,
          text: "sample",
          frameAnchor: "top-left",
          dy: -18,
          dx: -66,
          fill: ink,
          fontWeight: 500,
        } as never,
      ),
    ],
  });
}
