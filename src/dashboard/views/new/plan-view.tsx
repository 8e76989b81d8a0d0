import { formatBytes, formatCount } from "../../model/format.js";
import { type SettingView, specRows } from "../../model/settings-view.js";
import { taskViews } from "../../model/task-view.js";
import type { resolveDraft } from "../../server/api.js";

export type Plan = Awaited<ReturnType<typeof resolveDraft>>;

export interface PlanViewProps {
  readonly plan: Plan;
  readonly settings: readonly SettingView[];
}

/** What the server made of a draft. */
export function PlanView({ plan: { answer }, settings }: PlanViewProps) {
  const { spec = {}, description = {}, tasks = [] } = answer;
  const changed = specRows(spec, settings).filter(({ isChanged }) => isChanged);
  const facts: [string, string][] = [
    [
      "Data set",
      `${spec.dataset?.name}: ${formatCount(description.trainRows ?? 0)} train, ${formatCount(description.validationRows ?? 0)} validation, ${formatCount(description.testRows ?? 0)} test rows, ${description.classNames?.length ?? 0} classes`,
    ],
    [
      "Model",
      `${spec.model?.name}: ${formatCount(Number(description.parameterCount ?? 0))} parameters, ${description.numLayers} layers, ${description.numHeads} heads`,
    ],
    ["Device", `${description.deviceName} (${spec.compute?.device})`],
    ["Steps", `${formatCount(spec.outer?.steps ?? 0)} outer, ${spec.inner?.steps} inner`],
    ["Artifact", formatBytes(Number(description.artifactBytes ?? 0))],
    [
      "Tasks",
      taskViews(tasks)
        .map(({ name }) => name)
        .join("; "),
    ],
    [
      "Not the preset's",
      changed.map(({ setting, value }) => `${setting.flag} ${value}`).join(", ") || "nothing",
    ],
  ];
  return (
    <section class="plan" aria-label="What would run">
      <h2>What would run</h2>
      <dl>
        {facts.map(([name, text]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>{text}</dd>
          </div>
        ))}
      </dl>
      {(description.notices ?? []).map((notice) => (
        <p key={notice} class="notice">
          {notice}
        </p>
      ))}
    </section>
  );
}
