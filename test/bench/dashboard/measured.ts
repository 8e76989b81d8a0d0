/** A measured figure of a page. */
export interface Measured {
  readonly what: string;
  readonly value: number;
  readonly unit: "ms" | "kB" | "frames/s" | "of 100" | "findings";
}

export async function repeated<T>(count: number, measure: () => Promise<T>): Promise<T[]> {
  const all: T[] = [];
  for (let turn = 0; turn < count; turn++) all.push(await measure());
  return all;
}

export function median(numbers: readonly number[]): number {
  const sorted = [...numbers].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}

/** Where a program cannot be installed or run, only its own figures are missing. */
export async function unlessMissing(
  name: string,
  measure: () => Promise<Measured[]>,
): Promise<Measured[]> {
  try {
    return await measure();
  } catch (error) {
    say(`${name}: ${error instanceof Error ? error.message : error}`);
    return [];
  }
}

export function say(text: string): void {
  console.error(text);
}
