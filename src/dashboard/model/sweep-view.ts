import type { Sweep } from "../../generated/page/stillhouse/v1/service.js";
import { type StateName, stateName } from "./task-view.js";

export interface SweepView {
  readonly id: string;
  readonly title: string;
  readonly owner: string;
  readonly createdMs: number | undefined;
  readonly numExperiments: number;
  readonly counts: readonly { readonly state: StateName; readonly count: number }[];
}

export function sweepView(sweep: Sweep): SweepView {
  const { id, name, owner, experimentIds, counts } = sweep;
  return {
    id,
    title: name || `Sweep ${id}`,
    owner,
    createdMs: sweep.createTime?.getTime(),
    numExperiments: experimentIds.length,
    counts: counts.map(({ state, count }) => ({ state: stateName(state), count })),
  };
}

/** "3 succeeded, 1 running". */
export function countsText({ counts }: SweepView): string {
  return counts
    .filter(({ count }) => count > 0)
    .map(({ state, count }) => `${count} ${state}`)
    .join(", ");
}
