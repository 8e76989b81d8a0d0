/** A value as the end of a sentence: numbers and words bare, everything else in quotes. */
export function shown(value: unknown): string {
  const text = typeof value === "string" ? value : (JSON.stringify(value) ?? String(value));
  const isBare = typeof value === "number" || /^[\w.+:-]+$/.test(text);
  if (typeof value === "number") return String(value);
  return isBare || typeof value !== "string" ? text : JSON.stringify(text);
}
