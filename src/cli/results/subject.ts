import type { ExperimentSpec } from "../../generated/stillhouse/v1/spec.js";

/** Data set and model of an experiment, each with the default that it stands in for. */
export function subjectOf(spec: ExperimentSpec | undefined): string {
  const dataset = withSubstitute(spec?.dataset?.name, spec?.dataset?.substituteFor);
  const model = withSubstitute(spec?.model?.name, spec?.model?.substituteFor);
  return `Data set ${dataset} · model ${model}`;
}

function withSubstitute(name = "", substituteFor = ""): string {
  return substituteFor === "" ? name : `${name} (instead of ${substituteFor})`;
}
