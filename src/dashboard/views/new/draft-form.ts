import { useMemo, useRef, useState } from "preact/hooks";
import { useLocation } from "preact-iso";
import { type DraftValues, draftOf, flagOfField, problemsOf } from "../../model/draft.js";
import type { PresetName, SettingView } from "../../model/settings-view.js";
import { useAction } from "../../parts/action.js";
import { createExperiment, type Resolved, resolveDraft } from "../../server/api.js";
import { isAllowed } from "../../server/session.js";

export type DraftForm = ReturnType<typeof useDraftForm>;

/** The entered values, what is wrong with them, and the actions on them. */
export function useDraftForm(settings: readonly SettingView[], initial: DraftValues) {
  const [values, setValues] = useState(initial);
  const [plan, setPlan] = useState<Resolved>();
  const [priority, setPriority] = useState("0");
  const requestId = useRef(newRequestId());
  const { busy, error, run, clearError } = useAction<"check" | "start">();
  const { route } = useLocation();
  const problems = useMemo(() => problemsOf(values, settings), [values, settings]);
  const resolve = () => resolveDraft(draftOf(values, settings));

  const onChange = (flag: string, text: string) => {
    setValues(withValue(values, flag, text));
    // The checked plan no longer fits, and the changed values make another experiment.
    setPlan(undefined);
    clearError();
    requestId.current = newRequestId();
  };
  const check = () => run("check", async () => setPlan(await resolve()));
  const start = () =>
    run("start", async () => {
      const { spec } = plan ?? (await resolve());
      const { id } = await createExperiment(spec, requestId.current, Number(priority) || 0);
      route(`/experiments/${id}`);
    });

  const fields = {
    values,
    problems,
    faulty: error && flagOfField(error.field, settings),
    fault: error?.message,
    preset: values.get("preset") as PresetName | undefined,
    onChange,
  };
  const lockReason = reasonOfLock(problems.size > 0);
  return { fields, plan, priority, setPriority, busy, error, lockReason, check, start };
}

function withValue(values: DraftValues, flag: string, text: string): DraftValues {
  const next = new Map(values);
  if (text === "") next.delete(flag);
  else next.set(flag, text);
  return next;
}

/** Why the form cannot be sent; undefined when it can. */
function reasonOfLock(hasProblems: boolean): string | undefined {
  if (!isAllowed.submit.value)
    return "Your token may read only; this needs one with the role submit";
  return hasProblems ? "Some settings have invalid values" : undefined;
}

/** Without `randomUUID`, which browsers offer only to pages over TLS. */
function newRequestId(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return `page-${Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("")}`;
}
