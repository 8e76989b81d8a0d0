import { formatPercent } from "../../../text/format.js";
import { lettersOf, screenStyle } from "../../charts/figure-style.js";
import { type Marks, PlotFigure } from "../../charts/plot-figure.js";
import type { Attention, SampleView } from "../../model/inspection-view.js";
import { readableToken } from "../../model/tokens.js";
import { Figure } from "../../parts/figure.js";
import { themeColor } from "../../parts/theme.js";

const ROW_HEIGHT = 9;

/** The first token's attention by layer and head: the labels, and that of a trained learner. */
export function AttentionMaps({ sample }: { readonly sample: SampleView }) {
  const { attention, learnerAttention } = sample;
  const tokens = sample.positions.map(([nearest]) => readableToken(nearest?.[0] ?? ""));
  if (attention === undefined && learnerAttention === undefined) return null;
  return (
    <div class="chart-grid">
      {attention === undefined ? null : (
        <AttentionMap
          title="Attention labels of the first token"
          summary="A band per layer, a row per head, a column per position. The stronger the colour, the more attention."
          attention={attention}
          tokens={tokens}
        />
      )}
      {learnerAttention === undefined ? null : (
        <AttentionMap
          title="Attention of a learner"
          summary="What the first token attends to in a learner trained on the distilled data."
          attention={learnerAttention}
          tokens={tokens}
        />
      )}
    </div>
  );
}

interface AttentionMapProps {
  readonly title: string;
  readonly summary: string;
  readonly attention: Attention;
  readonly tokens: readonly string[];
}

function AttentionMap({ title, summary, attention, tokens }: AttentionMapProps) {
  const numHeads = attention[0]?.length ?? 0;
  const height = attention.length * (numHeads * ROW_HEIGHT + 10) + 50;
  return (
    <Figure
      title={title}
      summary={summary}
      table={() => ({
        head: ["layer", "head", "largest share at", "token", "share %"],
        rows: attention.flatMap((heads, layer) =>
          heads.map((shares, head) => {
            const largest = Math.max(...shares);
            const at = shares.indexOf(largest);
            return [
              layer + 1,
              head + 1,
              `position ${at}`,
              tokens[at] ?? "",
              formatPercent(largest),
            ];
          }),
        ),
      })}
    >
      <PlotFigure
        description={`${title}: ${attention.length} layers of ${numHeads} heads over ${tokens.length} positions. The table names where each head looks most.`}
        drawKey={`${title} ${tokens.join(" ")}`}
        draw={(marks, width) => drawAttention(marks, width, height, attention, tokens)}
        minHeight={height}
      />
    </Figure>
  );
}

interface Cell {
  readonly layer: string;
  readonly head: number;
  readonly key: number;
  readonly share: number;
}

function drawAttention(
  { plot, cell }: Marks,
  width: number,
  height: number,
  attention: Attention,
  tokens: readonly string[],
): Element {
  const cells = cellsOf(attention);
  return plot({
    width,
    height,
    marginLeft: 54,
    marginRight: 8,
    marginBottom: 30,
    marginTop: 4,
    padding: 0,
    style: { ...lettersOf(screenStyle()), fontSize: "11px" },
    x: {
      label: "position",
      ticks: tokens.map((_, at) => at).filter((at) => at % 8 === 0),
      tickSize: 3,
    },
    y: { axis: null },
    fy: { label: null, padding: 0.08, domain: attention.map((_, layer) => `layer ${layer + 1}`) },
    color: {
      type: "sqrt",
      domain: [0, strongest(cells)],
      range: [themeColor("--heat-low"), themeColor("--heat-high")],
      clamp: true,
    },
    marks: [cell(cells, CELL_CHANNELS)],
  });
}

const CELL_CHANNELS = {
  x: "key",
  y: "head",
  fy: "layer",
  fill: "share",
  inset: 0,
  shapeRendering: "crispEdges",
} as never;

function cellsOf(attention: Attention): Cell[] {
  return attention.flatMap((heads, layer) =>
    heads.flatMap((shares, head) =>
      shares.map((share, key) => ({ layer: `layer ${layer + 1}`, head: head + 1, key, share })),
    ),
  );
}

/** The share that gets the full colour. The very largest would leave all others white. */
function strongest(cells: readonly Cell[]): number {
  const shares = cells.map(({ share }) => share).sort((a, b) => a - b);
  return shares[Math.floor(shares.length * 0.99)] ?? 1;
}
