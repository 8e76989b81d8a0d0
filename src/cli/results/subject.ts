import type { ExperimentSpec } from "../../generated/stillhouse/v1/spec.js";

/** Data set, model and word vectors of an experiment, with the defaults that they stand in for. */
export function subjectOf(spec: ExperimentSpec | undefined): string {
  const dataset = withSubstitute(spec?.dataset?.name, spec?.dataset?.substituteFor);
  const model = withSubstitute(spec?.model?.name, spec?.model?.substituteFor);
  const words = spec?.model?.embeddings ? ` · word vectors ${spec.model.embeddings}` : "";
  return `Data set ${dataset} · model ${model}${words}`;
}

function withSubstitute(name = "", substituteFor = ""): string {
  return substituteFor === "" ? name : `${name} (instead of ${substituteFor})`;
}
