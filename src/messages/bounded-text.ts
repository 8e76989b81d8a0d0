import type { TextLimit } from "./limits.js";

/** Whether a text has more characters than that, counted in code points. */
export function isLonger(text: string, max: number): boolean {
  // No character takes more than two UTF-16 units, so most texts need no count.
  if (text.length <= max) return false;
  return text.length > 2 * max || numCharacters(text) > max;
}

/** How many code points a text has. */
export function numCharacters(text: string): number {
  let count = 0;
  for (const _ of text) count++;
  return count;
}

/** A text that is too long, cut to the limit, with a mark that says how much is missing. */
export function shortened(text: string, { max, keeps }: TextLimit): string {
  if (!isLonger(text, max)) return text;
  const mark = `[… ${text.length} characters in all …]`;
  const room = Math.max(0, max - mark.length);
  // Half of a pair of UTF-16 units is no character.
  return keeps === "end"
    ? mark + text.slice(text.length - room).replace(/^[\uDC00-\uDFFF]/, "")
    : text.slice(0, room).replace(/[\uD800-\uDBFF]$/, "") + mark;
}
