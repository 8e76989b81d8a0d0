import type { ExperimentSpec } from "../../generated/stillhouse/v1/spec.js";
import { objectiveText } from "../../results/spec-labels.js";

/** Data set, model and word vectors of an experiment, with the defaults that they stand in for. */
export function subjectOf(spec: ExperimentSpec | undefined): string {
  const dataset = withSubstitute(spec?.dataset?.name, spec?.dataset?.substituteFor);
  const model = withSubstitute(spec?.model?.name, spec?.model?.substituteFor);
  const words = spec?.model?.embeddings ? `word vectors ${spec.model.embeddings}` : "";
  const objective = objectiveText(spec, spec?.dataset?.found?.classNames);
  return [`Data set ${dataset}`, `model ${model}`, words, objective].filter(Boolean).join(" · ");
}

function withSubstitute(name = "", substituteFor = ""): string {
  return substituteFor === "" ? name : `${name} (instead of ${substituteFor})`;
}
