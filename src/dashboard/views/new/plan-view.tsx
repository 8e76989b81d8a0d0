import { Description } from "../../../generated/page/stillhouse/v1/service.js";
import { ExperimentSpec } from "../../../generated/page/stillhouse/v1/spec.js";
import { formatBytes, formatCount, formatPercent } from "../../../text/format.js";
import { type SettingView, specRows } from "../../model/settings-view.js";
import { taskViews } from "../../model/task-view.js";
import type { Resolved } from "../../server/api.js";

export interface PlanViewProps {
  readonly plan: Resolved;
  readonly settings: readonly SettingView[];
}

function layersText({ numLayers, numHeads }: Description): string {
  return numLayers === 0 ? "" : `, ${numLayers} layers, ${numHeads} heads`;
}

/** The word vectors of a network; nothing of other models. */
function wordsFacts({ model }: ExperimentSpec): [string, string][] {
  const found = model?.embeddingsFound;
  if (!model?.embeddings || found === undefined) return [];
  const coverage = `${formatPercent(found.trainCoverage)} % of the words of train have a vector`;
  return [
    [
      "Word vectors",
      `${model.embeddings}: ${formatCount(found.words)} words × ${found.width}, ${coverage}`,
    ],
  ];
}

/** The plan that the server resolved a draft to. */
export function PlanView({ plan: { answer }, settings }: PlanViewProps) {
  const { tasks } = answer;
  const spec = answer.spec ?? ExperimentSpec.fromJSON({});
  const description = answer.description ?? Description.fromJSON({});
  const changed = specRows(spec, settings).filter(({ isChanged }) => isChanged);
  const facts: [string, string][] = [
    [
      "Data set",
      `${spec.dataset?.name}: ${formatCount(description.trainRows)} train, ${formatCount(description.validationRows)} validation, ${formatCount(description.testRows)} test rows, ${description.classNames.length} classes`,
    ],
    [
      "Model",
      `${spec.model?.name}: ${formatCount(description.parameterCount)} parameters${layersText(description)}`,
    ],
    ...wordsFacts(spec),
    ["Device", `${description.deviceName} (${spec.compute?.device})`],
    ["Steps", `${formatCount(spec.outer?.steps ?? 0)} outer, ${spec.inner?.steps} inner`],
    ["Artifact", formatBytes(description.artifactBytes)],
    [
      "Tasks",
      taskViews(tasks, spec)
        .map(({ name }) => name)
        .join("; "),
    ],
    [
      "Changed from the preset",
      changed.map(({ setting, value }) => `${setting.flag} ${value}`).join(", ") || "nothing",
    ],
  ];
  return (
    <section class="plan" aria-label="Plan">
      <h2>Plan</h2>
      <dl>
        {facts.map(([name, text]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>{text}</dd>
          </div>
        ))}
      </dl>
      {description.notices.map((notice) => (
        <p key={notice} class="notice">
          {notice}
        </p>
      ))}
    </section>
  );
}
