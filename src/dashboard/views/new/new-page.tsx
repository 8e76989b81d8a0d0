import { useLocation } from "preact-iso";
import { experimentView } from "../../model/experiment-view.js";
import { givenValues } from "../../model/settings-view.js";
import { Problem } from "../../parts/notice.js";
import { useResource } from "../../parts/resource.js";
import { usePageTitle } from "../../parts/title.js";
import { getExperiment, getSettings } from "../../server/api.js";
import { NewForm } from "./new-form.js";

/** A form for a new experiment: every setting with its default, and the resulting command. */
export function NewPage() {
  const { query } = useLocation();
  const from = query.from ?? "";
  usePageTitle(from === "" ? "New experiment" : `Clone ${from}`);
  const { data: settings, error } = useResource("settings", getSettings);
  const origin = useResource(`origin ${from}`, async (signal) =>
    from === "" ? undefined : experimentView(await getExperiment(from, signal)),
  );
  const isReady = settings !== undefined && (from === "" || origin.data !== undefined);
  return (
    <div class="page">
      <div class="page-head">
        <div>
          <h1>New experiment</h1>
          <Origin id={from} />
        </div>
      </div>
      <Problem error={error ?? origin.error} />
      {isReady ? (
        <NewForm
          key={from}
          settings={settings}
          initial={origin.data ? givenValues(origin.data.spec, settings) : new Map()}
        />
      ) : (
        <p class="muted">Loading …</p>
      )}
    </div>
  );
}

/** The experiment that the values were copied from. */
function Origin({ id }: { readonly id: string }) {
  if (id === "") return <p class="muted">What is left empty is decided by the preset.</p>;
  return (
    <p class="muted">
      With the settings of <a href={`/experiments/${id}`}>{id}</a>: change what you want.
    </p>
  );
}
