import { useEffect, useRef, useState } from "preact/hooks";
import { themeChanges } from "../parts/theme.js";

export type Marks = typeof import("./plot-marks.js");

export interface PlotFigureProps {
  /** What a screen reader reads instead of the picture. */
  readonly description: string;
  /** Redraws whenever the width or the colours change, and when this key does. */
  readonly drawKey: string;
  readonly draw: (marks: Marks, width: number) => Element;
  /** Height in pixels before it is drawn, so that the page does not jump. */
  readonly minHeight: number;
}

const MAX_WIDTH = 1600;

/** A figure by Observable Plot, which makes SVG. */
export function PlotFigure({ description, drawKey, draw, minHeight }: PlotFigureProps) {
  const place = useRef<HTMLDivElement>(null);
  const [marks, setMarks] = useState<Marks>();
  const [width, setWidth] = useState(0);
  const theme = themeChanges.value;

  useEffect(() => {
    let isGone = false;
    import("./plot-marks.js").then((loaded) => isGone || setMarks(loaded));
    return () => {
      isGone = true;
    };
  }, []);

  useEffect(() => {
    const element = place.current;
    if (element === null) return;
    const observer = new ResizeObserver(() => setWidth(element.clientWidth));
    observer.observe(element);
    return () => observer.disconnect();
  }, []);

  // Dependencies: the key says when the drawing changes
  useEffect(() => {
    if (marks === undefined || width === 0) return;
    const drawn = draw(marks, Math.min(width, MAX_WIDTH));
    // Screen readers get the description; Plot's own labels name marks, not what they show.
    drawn.setAttribute("aria-hidden", "true");
    place.current?.replaceChildren(drawn);
  }, [marks, width, theme, drawKey]);

  return (
    <div
      ref={place}
      class="plot-figure"
      role="img"
      aria-label={description}
      style={{ minHeight: `${minHeight}px` }}
    />
  );
}
