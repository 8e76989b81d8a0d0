import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { useLocation } from "preact-iso";
import { type DraftValues, draftOf, flagOfField, problemsOf } from "../../model/draft.js";
import { experimentView } from "../../model/experiment-view.js";
import {
  commandLine,
  givenValues,
  type PresetName,
  type SettingView,
} from "../../model/settings-view.js";
import { ActionButton } from "../../parts/action-button.js";
import { CommandBox } from "../../parts/command-box.js";
import { Problem } from "../../parts/notice.js";
import { asServerError, useResource } from "../../parts/resource.js";
import { usePageTitle } from "../../parts/title.js";
import {
  createExperiment,
  getExperiment,
  getSettings,
  type Resolved,
  resolveDraft,
} from "../../server/api.js";
import type { ServerError } from "../../server/http.js";
import { isAllowed } from "../../server/session.js";
import { PlanView } from "./plan-view.js";
import { SettingFields, SettingGroup } from "./setting-group.js";

/** An experiment by hand: every setting with its default, and the command that it amounts to. */
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
          <p class="muted">
            {from === "" ? (
              "What is left empty is decided by the preset."
            ) : (
              <>
                With the settings of <a href={`/experiments/${from}`}>{from}</a>: change what you
                want.
              </>
            )}
          </p>
        </div>
      </div>
      <Problem error={error ?? origin.error} />
      {isReady ? (
        <Form
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

interface FormProps {
  readonly settings: readonly SettingView[];
  readonly initial: DraftValues;
}

/** What it is called, and what decides all that is left empty. */
const isFirst = ({ flag }: SettingView) => flag === "name" || flag === "preset";

type Busy = "check" | "start" | undefined;

function Form({ settings, initial }: FormProps) {
  const [values, setValues] = useState(initial);
  const [plan, setPlan] = useState<Resolved>();
  const [error, setError] = useState<ServerError>();
  const [busy, setBusy] = useState<Busy>();
  const [priority, setPriority] = useState("0");
  const requestId = useRef(newRequestId());
  const form = useRef<HTMLFormElement>(null);
  const { route } = useLocation();
  const problems = useMemo(() => problemsOf(values, settings), [values, settings]);
  const groups = useMemo(() => [...new Set(settings.map(({ group }) => group))], [settings]);
  const preset = values.get("preset") as PresetName | undefined;
  const faulty = error && flagOfField(error.field, settings);
  const isLocked = isAllowed.submit.value
    ? problems.size > 0
      ? "Some settings have values that they do not take"
      : undefined
    : "Your token may read only; this needs one with the role submit";

  const set = (flag: string, text: string) => {
    const next = new Map(values);
    if (text === "") next.delete(flag);
    else next.set(flag, text);
    setValues(next);
    // What was checked is no longer what would run, and is another experiment.
    setPlan(undefined);
    setError(undefined);
    requestId.current = newRequestId();
  };

  const fields = { values, problems, faulty, fault: error?.message, preset, onChange: set };

  useEffect(() => {
    if (faulty) form.current?.querySelector<HTMLElement>(`[data-flag="${faulty}"]`)?.focus();
  }, [faulty]);

  const run = async (what: Busy, action: () => Promise<void>) => {
    setBusy(what);
    try {
      await action();
    } catch (failed) {
      setError(asServerError(failed));
    }
    setBusy(undefined);
  };
  const check = () =>
    run("check", async () => {
      setPlan(await resolveDraft(draftOf(values, settings)));
    });
  const start = () =>
    run("start", async () => {
      const resolved = plan ?? (await resolveDraft(draftOf(values, settings)));
      const { id = "" } = await createExperiment(
        resolved.spec,
        requestId.current,
        Number(priority) || 0,
      );
      route(`/experiments/${id}`);
    });

  return (
    <form
      ref={form}
      class="new-form"
      onSubmit={(event) => {
        event.preventDefault();
        if (isLocked === undefined && busy === undefined) start();
      }}
    >
      <div class="setting-groups">
        <SettingFields {...fields} settings={settings.filter(isFirst)} />
        {groups.map((group, at) => (
          <SettingGroup
            {...fields}
            key={group}
            name={group}
            isOpenAtFirst={at < 2}
            settings={settings.filter((each) => each.group === group && !isFirst(each))}
          />
        ))}
      </div>
      <aside class="new-aside" aria-label="Summary">
        <h2>Command line</h2>
        <CommandBox command={commandLine(values)} />
        <label class="field">
          <span>Priority</span>
          <input
            type="number"
            min="-100"
            max="100"
            value={priority}
            onInput={({ currentTarget }) => setPriority(currentTarget.value)}
          />
          <span class="muted field-help">From -100 to 100; higher priorities run first.</span>
        </label>
        <div class="button-row">
          <ActionButton
            label={busy === "start" ? "Starting …" : "Start"}
            reason={isLocked}
            isBusy={busy !== undefined}
            isPrimary
            onClick={start}
          />
          <ActionButton
            label={busy === "check" ? "Checking …" : "Check only"}
            reason={isLocked}
            isBusy={busy !== undefined}
            onClick={check}
          />
        </div>
        <div aria-live="polite">
          {busy === undefined ? null : (
            <p class="muted">The server is checking the data set, the model and the device.</p>
          )}
          <Problem error={error} />
          {plan === undefined ? null : <PlanView plan={plan} settings={settings} />}
        </div>
      </aside>
    </form>
  );
}

/** Where the page is not served over TLS the browser has no randomUUID. */
function newRequestId(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return `page-${Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("")}`;
}
