import type { Summary } from "../../statistics.js";
import { formatGainRange, formatPercent } from "../../text/format.js";

/** "+4.2 [+1.0, +7.4]": an improvement in points, with its interval where there is one. */
export function improvementText(improvement: Summary | null): string {
  return improvement === null ? "–" : formatGainRange(improvement);
}

export function recoveryText(recovery: number | null): string | undefined {
  if (recovery === null) return undefined;
  return `Hard-label recovery: ${formatPercent(recovery)} points below the full data.`;
}
