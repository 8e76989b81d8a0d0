import type { StateName } from "../model/task-view.js";

const SIGNS: Readonly<Record<string, string>> = {
  queued: "◷",
  running: "▶",
  succeeded: "✓",
  failed: "✕",
  cancelled: "⊘",
  idle: "○",
  busy: "▶",
  starting: "◷",
  draining: "↓",
  "set aside": "⊘",
};

/** A state by word and sign: colour alone tells it to nobody who cannot see it. */
export function StateBadge({ state }: { readonly state: StateName | string }) {
  return (
    <span class={`badge badge-${state.replace(" ", "-")}`}>
      <span aria-hidden="true">{SIGNS[state] ?? "·"}</span> <span class="badge-word">{state}</span>
    </span>
  );
}
