import type { ComponentChildren } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";

export interface NearViewportProps {
  /** Height that is reserved until then, in pixels. */
  readonly minHeight: number;
  readonly children: () => ComponentChildren;
}

/** Renders its children once they are about to be scrolled into view. */
export function NearViewport({ minHeight, children }: NearViewportProps) {
  const place = useRef<HTMLDivElement>(null);
  const [isNear, setIsNear] = useState(false);

  useEffect(() => {
    const element = place.current;
    if (element === null || isNear) return;
    const observer = new IntersectionObserver(
      (entries) => {
        if (entries.some(({ isIntersecting }) => isIntersecting)) setIsNear(true);
      },
      { rootMargin: "400px" },
    );
    observer.observe(element);
    return () => observer.disconnect();
  }, [isNear]);

  return isNear ? children() : <div ref={place} style={{ minHeight: `${minHeight}px` }} />;
}
