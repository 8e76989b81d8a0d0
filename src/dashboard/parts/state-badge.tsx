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

/** A state as a word and a symbol: not everyone can see its colour. */
export function StateBadge({ state }: { readonly state: StateName | string }) {
  return (
    <span class={`badge badge-${state.replace(" ", "-")}`}>
      <span aria-hidden="true">{SIGNS[state] ?? "·"}</span> <span class="badge-word">{state}</span>
    </span>
  );
}
