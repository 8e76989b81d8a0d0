/** A word piece as it reads: "##ing" → "·ing". */
export function readableToken(token: string): string {
  return token.startsWith("##") ? `·${token.slice(2)}` : token;
}

/** How dark a token is shaded: its similarity relative to those of its sample, 0 to 1. */
export function shadeOf(similarity: number, [least, most]: readonly [number, number]): number {
  return most === least ? 1 : (similarity - least) / (most - least);
}
