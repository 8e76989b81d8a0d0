/** How many experiments of a group are in which state. */
export interface GroupOverview {
  readonly total: number;
  readonly done: number;
  readonly running: number;
  readonly failed: number;
}

/** "3 of 14 done, 1 running, 1 failed, 9 waiting". */
export function overviewText({ total, done, running, failed }: GroupOverview): string {
  const waiting = total - done - running - failed;
  const parts = [`${done} of ${total} done`];
  if (running > 0) parts.push(`${running} running`);
  if (failed > 0) parts.push(`${failed} failed`);
  if (waiting > 0) parts.push(`${waiting} waiting`);
  return parts.join(", ");
}

type MemberState = "waiting" | "running" | "done" | "failed";

/** Keeps the overview while experiments change their states. */
export class OverviewCounter {
  readonly #states: MemberState[];
  readonly #show: (overview: GroupOverview) => void;

  /** @param show is called at every change. */
  constructor(total: number, show: (overview: GroupOverview) => void) {
    this.#states = Array.from({ length: total }, () => "waiting");
    this.#show = show;
  }

  /** @param at place of the experiment in its group. */
  set(at: number, state: MemberState): void {
    if (this.#states[at] === state) return;
    this.#states[at] = state;
    this.#show(this.overview);
  }

  get overview(): GroupOverview {
    const count = (state: MemberState) => this.#states.filter((other) => other === state).length;
    return {
      total: this.#states.length,
      done: count("done"),
      running: count("running"),
      failed: count("failed"),
    };
  }
}
