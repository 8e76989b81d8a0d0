import { useState } from "preact/hooks";
import { useLocation } from "preact-iso";
import type { ExperimentView } from "../../model/experiment-view.js";
import { isLive } from "../../model/task-view.js";
import { ActionButton } from "../../parts/action-button.js";
import { Problem } from "../../parts/notice.js";
import { asServerError } from "../../parts/resource.js";
import { act, deleteExperiment, type ExperimentAction } from "../../server/api.js";
import type { ServerError } from "../../server/http.js";
import { isAllowed } from "../../server/session.js";
import type { ExperimentFeed } from "./feed.js";

export interface ActionsProps {
  readonly view: ExperimentView;
  readonly feed: ExperimentFeed;
}

const READ_ONLY = "Your token may read only; this needs one with the role submit";
const NOT_ADMIN = "This needs a token with the role admin";

/** What one may do with an experiment; what is not possible says why. */
export function Actions({ view, feed }: ActionsProps) {
  const [error, setError] = useState<ServerError>();
  const [busy, setBusy] = useState<string>();
  const { route } = useLocation();
  const mayNot = isAllowed.submit.value ? undefined : READ_ONLY;

  const run = async (name: string, action: () => Promise<void>) => {
    setBusy(name);
    try {
      await action();
      setError(undefined);
    } catch (failed) {
      setError(asServerError(failed));
    }
    setBusy(undefined);
  };
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

  const live = isLive(view);
  const canGoOn = view.state === "failed" || view.state === "cancelled";
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
          <>
            <ActionButton
              label="Resume"
              reason={mayNot ?? (canGoOn ? undefined : "Nothing is left to do")}
              isBusy={busy !== undefined}
              onClick={() => change("resume")}
            />
            <ActionButton
              label="Retry"
              reason={mayNot ?? (canGoOn ? undefined : "Nothing has failed")}
              isBusy={busy !== undefined}
              onClick={() => change("retry")}
            />
          </>
        )}
        {view.spec.robustness ? null : (
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
