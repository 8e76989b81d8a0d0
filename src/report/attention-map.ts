import { axisY, frame, rect } from "@observablehq/plot";
import { max } from "d3-array";
import { drawChart } from "./chart.js";

/** Shares of the first token's attention by layer, head and stretch of positions. */
export interface AttentionMap {
  /** Positions that each column sums up. */
  readonly positionsPerColumn: number;
  readonly rows: readonly {
    /** Layer and head, counted from 1. */
    readonly layer: number;
    readonly head: number;
    /** Sums of the shares, from the first position on. */
    readonly shares: readonly number[];
  }[];
}

const MOST_COLUMNS = 64;
/** Smaller shares are invisible; such cells stay empty. */
const LEAST_SHARE = 0.005;
const HEAD_HEIGHT = 9;
const MARGINS = 66;
const LAYER_GAP = 6;

/**
 * Attention labels, summed into few enough columns to be visible.
 *
 * @param attention by layer, head and key; each head's shares sum to 1.
 */
export function attentionMap(attention: readonly (readonly (readonly number[])[])[]): AttentionMap {
  const numKeys = attention[0]?.[0]?.length ?? 0;
  const positionsPerColumn = Math.max(1, Math.ceil(numKeys / MOST_COLUMNS));
  const rows = attention.flatMap((heads, layer) =>
    heads.map((keys, head) => ({
      layer: layer + 1,
      head: head + 1,
      shares: sumsOf(keys, positionsPerColumn),
    })),
  );
  return { positionsPerColumn, rows };
}

/** A heat map: one band per layer with one line per head; the darker, the greater the share. */
export function attentionChart({ rows, positionsPerColumn }: AttentionMap): string {
  const numLayers = max(rows, ({ layer }) => layer) ?? 0;
  const numHeads = max(rows, ({ head }) => head) ?? 0;
  const cells = rows.flatMap(({ layer, head, shares }) =>
    shares.flatMap((share, column) => {
      const from = column * positionsPerColumn;
      const cell = { layer, share, from, to: from + positionsPerColumn, y1: head - 1, y2: head };
      return share < LEAST_SHARE ? [] : [cell];
    }),
  );
  return drawChart({
    ariaLabel: "Attention labels by layer, head and position",
    height: numLayers * (numHeads * HEAD_HEIGHT + LAYER_GAP) + MARGINS,
    marginLeft: 30,
    marginRight: 60,
    marginBottom: 40,
    x: {
      label: "position",
      labelAnchor: "center",
      domain: [0, (rows[0]?.shares.length ?? 0) * positionsPerColumn],
    },
    y: { label: null, domain: [numHeads, 0] },
    fy: { label: "layer", padding: 0.06 },
    opacity: { domain: [0, greatestShare(rows)] },
    marks: [
      frame({ stroke: "var(--line)" }),
      axisY({ ticks: [] }),
      rect(cells, {
        ...{ fy: "layer", x1: "from", x2: "to", y1: "y1", y2: "y2" },
        ...{ fill: "var(--series-1)", fillOpacity: "share" },
      }),
    ],
  });
}

/** The share that is drawn in the full colour. */
export function greatestShare(rows: AttentionMap["rows"]): number {
  return max(rows, ({ shares }) => max(shares)) ?? 0;
}

function sumsOf(values: readonly number[], count: number): number[] {
  const sums: number[] = [];
  values.forEach((value, at) => {
    const column = Math.floor(at / count);
    sums[column] = (sums[column] ?? 0) + value;
  });
  return sums;
}
