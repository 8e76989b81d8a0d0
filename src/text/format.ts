/** How numbers, times and sizes are written, the same in a terminal, on the page and in reports. */

const WHOLE_NUMBERS = new Intl.NumberFormat("en-US");

/** Shown where there is no value. */
const NOTHING = "–";

/**
 * With a capital letter, unless it begins with something other than a word, such as a field's name.
 */
export function asSentence(text: string): string {
  return /^[a-z]+[ ,]/.test(text) ? text.slice(0, 1).toUpperCase() + text.slice(1) : text;
}

/** 120000 → "120,000". */
export function formatCount(count: number | bigint): string {
  return WHOLE_NUMBERS.format(count);
}

/** A fraction as percent: 0.9071 → "90.7". */
export function formatPercent(fraction: number, digits = 1): string {
  return (fraction * 100).toFixed(digits);
}

/** Mean and standard deviation in percent: "90.7 ± 0.2", or the mean alone. */
export function formatMeanStd(mean: number, std: number | null | undefined): string {
  const isAlone = std === null || std === undefined;
  return isAlone ? formatPercent(mean) : `${formatPercent(mean)} ± ${formatPercent(std)}`;
}

/** An interval of fractions as percent: "89.9 to 91.2". */
export function formatInterval(
  interval: readonly [low: number, high: number] | null | undefined,
  digits = 1,
): string {
  if (interval === null || interval === undefined) return NOTHING;
  return interval.map((bound) => formatPercent(bound, digits)).join(" to ");
}

/** A difference of fractions in points with its sign: "+1.3", "−0.4". */
export function formatGain(difference: number): string {
  return `${difference < 0 ? "−" : "+"}${formatPercent(Math.abs(difference))}`;
}

/** A difference with its interval where it has one: "+4.2 [+1.0, +7.4]". */
export function formatGainRange({
  mean,
  interval95,
}: {
  readonly mean: number;
  readonly interval95: readonly [low: number, high: number] | null;
}): string {
  const gain = formatGain(mean);
  return interval95 === null ? gain : `${gain} [${interval95.map(formatGain).join(", ")}]`;
}

/** A standard deviation by itself: "± 0.7"; empty where there is none. */
export function formatBetween(std: number | null | undefined): string {
  return std === null || std === undefined ? "" : `± ${formatPercent(std)}`;
}

/** The ± between distillations behind a figure: " (seeds ± 0.7)"; empty with one distillation. */
export function formatBetweenSeeds(std: number | null): string {
  return std === null ? "" : ` (seeds ${formatBetween(std)})`;
}

/** Seconds in at most two units: "42 s", "5 min 3 s", "1 h 20 min", "2 d 3 h". */
export function formatDuration(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds));
  if (whole < 60) return `${whole} s`;
  const minutes = Math.floor(whole / 60);
  if (minutes < 60) return withRest(minutes, "min", whole % 60, "s");
  const hours = Math.floor(minutes / 60);
  if (hours < 24) return withRest(hours, "h", minutes % 60, "min");
  return withRest(Math.floor(hours / 24), "d", hours % 24, "h");
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

/** Energy: "12 J", "3.4 kJ", "1.2 MJ". */
export function formatJoules(joules: number): string {
  if (joules < 1e3) return `${Math.round(joules)} J`;
  return joules < 1e6 ? `${(joules / 1e3).toFixed(1)} kJ` : `${(joules / 1e6).toFixed(1)} MJ`;
}

/** Bytes in the unit of the settings for memory: "1,536 MiB". */
export function formatMebibytes(bytes: number): string {
  return `${formatCount(Math.floor(bytes / 2 ** 20))} MiB`;
}

/** A measured value with three digits: 0.4123 → "0.412", 12.3 → "12.3", 2e-5 → "2e-5". */
export function formatValue(value: number | undefined): string {
  if (value === undefined) return NOTHING;
  const size = Math.abs(value);
  if (!Number.isFinite(size)) return String(value);
  if (size !== 0 && (size < 1e-3 || size >= 1e6)) {
    return value.toExponential(2).replace(/\.?0*e\+?/, "e");
  }
  return String(Number(value.toPrecision(3)));
}

/** The rates of inner steps, and the encoder's over them where it has its own. */
export function formatRates(
  rates: readonly number[],
  encoderScale: number | null | undefined,
  separator = ", ",
): string {
  const steps = rates.map(formatValue).join(separator);
  const isShared = encoderScale === null || encoderScale === undefined;
  return isShared ? steps : `${steps}, times ${formatValue(encoderScale)} for the encoder`;
}

/** A value with a fixed number of decimals, as in a column: 0.4 → "0.400". */
export function formatDecimals(value: number | null | undefined, digits: number): string {
  return value === null || value === undefined ? NOTHING : value.toFixed(digits);
}

/** "just now", "4 min ago", "3 h ago", "12 days ago". */
export function formatAgo(ms: number, nowMs: number): string {
  const minutes = Math.floor((nowMs - ms) / 60_000);
  if (minutes < 1) return "just now";
  if (minutes < 60) return `${minutes} min ago`;
  const hours = Math.floor(minutes / 60);
  if (hours < 48) return `${hours} h ago`;
  return `${Math.floor(hours / 24)} days ago`;
}

/** Hours and minutes of a moment in the reader's time zone. */
export function formatClock(ms: number): string {
  return new Date(ms).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
}

function withRest(amount: number, unit: string, rest: number, restUnit: string): string {
  return rest === 0 ? `${amount} ${unit}` : `${amount} ${unit} ${rest} ${restUnit}`;
}
