import { closest, distance } from "fastest-levenshtein";

/**
 * The candidate that a person may have meant.
 *
 * At most a third of the letters may differ: a suggestion that is far off misleads.
 */
export function suggest(word: string, candidates: readonly string[]): string | undefined {
  if (candidates.length === 0) return undefined;
  const best = closest(word, candidates);
  const allowedEdits = Math.max(1, Math.floor(Math.max(word.length, best.length) / 3));
  return distance(word, best) <= allowedEdits ? best : undefined;
}
