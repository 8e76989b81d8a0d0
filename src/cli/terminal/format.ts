const WHOLE_NUMBERS = new Intl.NumberFormat("en-US");

/** 120000 → "120,000". */
export function formatCount(count: number | bigint): string {
  return WHOLE_NUMBERS.format(count);
}

/** A fraction as percent with one decimal: 0.9071 → "90.7". */
export function formatPercent(fraction: number): string {
  return (fraction * 100).toFixed(1);
}

/** Percent as mean and spread: "90.7 ± 0.2", without the spread where there is none. */
export function formatMeanStd(mean: number, std: number | null): string {
  return std === null ? formatPercent(mean) : `${formatPercent(mean)} ± ${formatPercent(std)}`;
}

/** Seconds in at most two units: "42 s", "5 min 3 s", "1 h 20 min". */
export function formatDuration(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds));
  if (whole < 60) return `${whole} s`;
  const minutes = Math.floor(whole / 60);
  if (minutes < 60) return withRest(minutes, "min", whole % 60, "s");
  return withRest(Math.floor(minutes / 60), "h", minutes % 60, "min");
}

/** A time that may be short: "0.42 s", "5 min 3 s". */
export function formatSeconds(seconds: number): string {
  return seconds < 10 ? `${Number(seconds.toPrecision(2))} s` : formatDuration(seconds);
}

/** Bytes in decimal units: "302 MB". */
export function formatBytes(bytes: number | bigint): string {
  const amount = Number(bytes);
  if (amount < 1e3) return `${amount} B`;
  if (amount < 1e6) return `${Math.round(amount / 1e3)} kB`;
  return amount < 1e9 ? `${Math.round(amount / 1e6)} MB` : `${(amount / 1e9).toFixed(1)} GB`;
}

/** A measured value with what its size needs: 0.4123 → "0.412", 12.3 → "12.3". */
export function formatValue(value: number): string {
  if (!Number.isFinite(value)) return String(value);
  return String(Number(value.toPrecision(3)));
}

/**
 * Breaks a text between words.
 *
 * @param columns of a line, the indent included; a longer word stays whole.
 * @param indent of every line; that of the first is there already.
 */
export function wrapText(text: string, columns: number, indent: number): string {
  let line = "";
  const lines: string[] = [];
  for (const word of text.split(" ")) {
    const room = columns - indent;
    if (line !== "" && line.length + 1 + word.length > room) {
      lines.push(line);
      line = word;
    } else {
      line = line === "" ? word : `${line} ${word}`;
    }
  }
  return [...lines, line].join(`\n${" ".repeat(indent)}`);
}

function withRest(amount: number, unit: string, rest: number, restUnit: string): string {
  return rest === 0 ? `${amount} ${unit}` : `${amount} ${unit} ${rest} ${restUnit}`;
}
