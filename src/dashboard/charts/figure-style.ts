import { themeColor } from "../parts/theme.js";

/** Colours and font of a figure. */
export interface FigureStyle {
  readonly ink: string;
  readonly muted: string;
  readonly series: (place: number) => string;
  readonly background: string;
  readonly fontFamily: string;
}

const NUM_SERIES = 7;

/** As on the page. */
export function screenStyle(): FigureStyle {
  return {
    ink: themeColor("--ink"),
    muted: themeColor("--muted"),
    series: (place) => themeColor(`--series-${(place % NUM_SERIES) + 1}`),
    background: "none",
    fontFamily: "inherit",
  };
}

const PAPER_SERIES = ["#b3541e", "#1f6f9f", "#3b7f4b", "#8b4f97", "#b8860b", "#33808a", "#6b6b6b"];

/** For a paper: on white, in a font that drawing programs have. */
export const PAPER_STYLE: FigureStyle = {
  ink: "#111111",
  muted: "#444444",
  series: (place) => PAPER_SERIES[place % NUM_SERIES] ?? "#000000",
  background: "#ffffff",
  fontFamily: "Helvetica, Arial, sans-serif",
};

/** Pixels. */
export const FIGURE_FONT_SIZE = 12;

/** What Plot takes as the style of a whole figure. */
export function lettersOf({ background, muted, fontFamily }: FigureStyle) {
  return { background, color: muted, fontFamily, fontSize: `${FIGURE_FONT_SIZE}px` };
}
