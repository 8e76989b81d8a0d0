import { useState } from "preact/hooks";
import { useLocation } from "preact-iso";
import { compareAddress } from "../../parts/addresses.js";

/** The experiments of a table that are selected for a comparison. */
export interface Choice {
  readonly chosen: ReadonlySet<string>;
  readonly choose: (id: string, isChosen: boolean) => void;
  readonly clear: () => void;
}

export function useChoice(): Choice {
  const [chosen, setChosen] = useState<ReadonlySet<string>>(new Set());
  return {
    chosen,
    choose: (id, isChosen) => {
      const next = new Set(chosen);
      if (isChosen) next.add(id);
      else next.delete(id);
      setChosen(next);
    },
    clear: () => setChosen(new Set()),
  };
}

/** The actions on the selected experiments; nothing while none is selected. */
export function ChosenBar({ choice: { chosen, clear } }: { readonly choice: Choice }) {
  const { route } = useLocation();
  if (chosen.size === 0) return null;
  return (
    <div class="choice-bar" role="status">
      <span>{chosen.size} chosen</span>
      <button
        type="button"
        class="button primary"
        disabled={chosen.size < 2}
        title={chosen.size < 2 ? "Choose at least two" : undefined}
        onClick={() => route(compareAddress(chosen))}
      >
        Compare
      </button>
      <button type="button" class="link-button" onClick={clear}>
        Clear
      </button>
    </div>
  );
}
