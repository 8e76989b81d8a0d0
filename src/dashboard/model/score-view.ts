import type { Summary } from "../../statistics.js";
import { formatGain, formatPercent } from "./format.js";

/** "+4.2 [+1.0, +7.4]": an improvement in points, with its interval where there is one. */
export function improvementText(improvement: Summary | null): string {
  if (improvement === null) return "–";
  const { mean, interval95 } = improvement;
  const gain = formatGain(mean);
  return interval95 === null ? gain : `${gain} [${interval95.map(formatGain).join(", ")}]`;
}

export function recoveryText(recovery: number | null): string | undefined {
  if (recovery === null) return undefined;
  return `Hard-label recovery: ${formatPercent(recovery)} points below the full data.`;
}
