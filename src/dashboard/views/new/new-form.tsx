import { useEffect, useMemo, useRef } from "preact/hooks";
import type { DraftValues } from "../../model/draft.js";
import { commandLine, type SettingView } from "../../model/settings-view.js";
import { ActionButton } from "../../parts/action-button.js";
import { CommandBox } from "../../parts/command-box.js";
import { Problem } from "../../parts/notice.js";
import { type DraftForm, useDraftForm } from "./draft-form.js";
import { PlanView } from "./plan-view.js";
import { SettingFields, SettingGroup } from "./setting-group.js";

export interface NewFormProps {
  readonly settings: readonly SettingView[];
  readonly initial: DraftValues;
}

/** The name, and the preset that decides everything left empty. */
const isFirst = ({ flag }: SettingView) => flag === "name" || flag === "preset";

/** Every setting in its group, and beside them the resulting command and plan. */
export function NewForm({ settings, initial }: NewFormProps) {
  const draft = useDraftForm(settings, initial);
  const { fields, lockReason, busy, start } = draft;
  const form = useRef<HTMLFormElement>(null);
  const groups = useMemo(() => [...new Set(settings.map(({ group }) => group))], [settings]);

  useEffect(() => {
    const { faulty } = fields;
    if (faulty) form.current?.querySelector<HTMLElement>(`[data-flag="${faulty}"]`)?.focus();
  }, [fields.faulty]);

  return (
    <form
      ref={form}
      class="new-form"
      onSubmit={(event) => {
        event.preventDefault();
        if (lockReason === undefined && busy === undefined) start();
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
      <Summary draft={draft} settings={settings} />
    </form>
  );
}

interface SummaryProps {
  readonly draft: DraftForm;
  readonly settings: readonly SettingView[];
}

/** The resulting command, the buttons, and the answer of the server. */
function Summary({ draft, settings }: SummaryProps) {
  const { fields, plan, busy, error, priority, setPriority } = draft;
  return (
    <aside class="new-aside" aria-label="Summary">
      <h2>Command line</h2>
      <CommandBox command={commandLine(fields.values)} />
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
      <FormButtons draft={draft} />
      <div aria-live="polite">
        {busy === undefined ? null : (
          <p class="muted">The server is checking the data set, the model and the device.</p>
        )}
        <Problem error={error} />
        {plan === undefined ? null : <PlanView plan={plan} settings={settings} />}
      </div>
    </aside>
  );
}

function FormButtons({ draft }: { readonly draft: DraftForm }) {
  const { busy, lockReason, check, start } = draft;
  return (
    <div class="button-row">
      <ActionButton
        label={busy === "start" ? "Starting …" : "Start"}
        reason={lockReason}
        isBusy={busy !== undefined}
        isPrimary
        onClick={start}
      />
      <ActionButton
        label={busy === "check" ? "Checking …" : "Check only"}
        reason={lockReason}
        isBusy={busy !== undefined}
        onClick={check}
      />
    </div>
  );
}
