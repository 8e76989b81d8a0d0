import { useLocation } from "preact-iso";
import type { ExperimentView } from "../../model/experiment-view.js";
import { isLive } from "../../model/task-view.js";
import { useAction } from "../../parts/action.js";
import { ActionButton } from "../../parts/action-button.js";
import { Problem } from "../../parts/notice.js";
import { act, deleteExperiment, type ExperimentAction } from "../../server/api.js";
import { isAllowed } from "../../server/session.js";
import type { ExperimentFeed } from "./feed.js";

export interface ActionsProps {
  readonly view: ExperimentView;
  readonly feed: ExperimentFeed;
}

const READ_ONLY = "Your token may read only; this needs one with the role submit";
const NOT_ADMIN = "This needs a token with the role admin";

/** The actions on an experiment; a disabled one says why. */
export function Actions({ view, feed }: ActionsProps) {
  const { busy, error, change, remove } = useExperimentActions(view, feed);
  const mayNot = isAllowed.submit.value ? undefined : READ_ONLY;
  const live = isLive(view);
  return (
    <div class="actions">
      <div class="button-row">
        {live ? (
          <ActionButton
            label={busy === "cancel" ? "Stopping …" : "Cancel"}
            reason={mayNot}
            isBusy={busy !== undefined}
            onClick={() => change("cancel")}
          />
        ) : (
          <RunAgain view={view} mayNot={mayNot} isBusy={busy !== undefined} onChoose={change} />
        )}
        {view.spec.robustness || view.spec.replay ? null : (
          <a class="button" href={`/new?from=${encodeURIComponent(view.id)}`}>
            Clone with changes
          </a>
        )}
        <ActionButton
          label="Delete"
          reason={isAllowed.administer.value ? (live ? "Cancel it first" : undefined) : NOT_ADMIN}
          isBusy={busy !== undefined}
          onClick={remove}
        />
      </div>
      <Problem error={error} />
    </div>
  );
}

interface RunAgainProps {
  readonly view: ExperimentView;
  /** Why this person may do neither; undefined if they may. */
  readonly mayNot: string | undefined;
  readonly isBusy: boolean;
  readonly onChoose: (action: ExperimentAction) => void;
}

function RunAgain({ view: { state }, mayNot, isBusy, onChoose }: RunAgainProps) {
  const canGoOn = state === "failed" || state === "cancelled";
  return (
    <>
      <ActionButton
        label="Resume"
        reason={mayNot ?? (canGoOn ? undefined : "Nothing is left to do")}
        isBusy={isBusy}
        onClick={() => onChoose("resume")}
      />
      <ActionButton
        label="Retry"
        reason={mayNot ?? (canGoOn ? undefined : "Nothing has failed")}
        isBusy={isBusy}
        onClick={() => onChoose("retry")}
      />
    </>
  );
}

function useExperimentActions(view: ExperimentView, feed: ExperimentFeed) {
  const { busy, error, run } = useAction<ExperimentAction | "delete">();
  const { route } = useLocation();
  const change = (action: ExperimentAction) =>
    run(action, async () => {
      await act(view.id, action);
      if (action === "cancel") await feed.refresh();
      else feed.restart();
    });
  const remove = () =>
    run("delete", async () => {
      if (!confirm(`Delete ${view.title} (${view.id}) with its metrics and its artifact?`)) return;
      await deleteExperiment(view.id);
      route("/");
    });
  return { busy, error, change, remove };
}
