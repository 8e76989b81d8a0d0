/** The numbers that a setting accepts. Finite numbers only, whatever the bounds. */
export interface Range {
  readonly integer?: boolean;
  readonly min: number;
  /** The minimum itself is not allowed. */
  readonly aboveMin?: boolean;
  readonly max?: number;
  /** The maximum itself is not allowed. */
  readonly belowMax?: boolean;
}

export function inRange(value: number, range: Range): boolean {
  if (!Number.isFinite(value)) return false;
  if (range.integer && !Number.isInteger(value)) return false;
  if (range.aboveMin ? value <= range.min : value < range.min) return false;
  if (range.max === undefined) return true;
  return range.belowMax ? value < range.max : value <= range.max;
}

/** The range as the end of the sentence "must be …". */
export function describeRange(range: Range): string {
  const lower = `${range.aboveMin ? ">" : "≥"} ${range.min}`;
  if (range.integer) {
    return range.max === undefined
      ? `an integer ${lower}`
      : `an integer from ${range.min} to ${range.max}`;
  }
  if (range.max === undefined) return `${lower} and finite`;
  return `${lower} and ${range.belowMax ? "<" : "≤"} ${range.max}`;
}
