import { useId, useState } from "preact/hooks";

export interface ActionButtonProps {
  readonly label: string;
  /** Why it cannot be pressed; undefined when it can. */
  readonly reason?: string | undefined;
  readonly isBusy?: boolean;
  readonly isPrimary?: boolean;
  readonly onClick: () => void;
}

/** A button that stays reachable when it is disabled, and then says why. */
export function ActionButton({ label, reason, isBusy, isPrimary, onClick }: ActionButtonProps) {
  const id = useId();
  const [isAsked, setIsAsked] = useState(false);
  const isOff = reason !== undefined || isBusy === true;
  const press = () => {
    setIsAsked(reason !== undefined);
    if (!isOff) onClick();
  };
  return (
    <span class="action">
      <button
        type="button"
        class={`button ${isPrimary ? "primary" : ""}`}
        aria-disabled={isOff}
        aria-describedby={reason === undefined ? undefined : id}
        title={reason}
        onClick={press}
      >
        {label}
      </button>
      {reason === undefined ? null : (
        <span id={id} class={isAsked ? "action-reason" : "visually-hidden"}>
          {reason}
        </span>
      )}
    </span>
  );
}
