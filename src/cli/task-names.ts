import { BaselineKind, type Task } from "../generated/stillhouse/v1/experiment.js";

/** How a task is called on the screen. */
export function taskName(task: Task): string {
  switch (task.work?.kind?.$case) {
    case "distill":
      return "Distillation";
    case "evaluate": {
      const { variation } = task.work.kind.value;
      return variation === undefined ? "Evaluation" : `Evaluation, ${variation.name}`;
    }
    case "baseline":
      return baselineName(task.work.kind.value.kind);
    default:
      return task.id;
  }
}

function baselineName(kind: BaselineKind): string {
  switch (kind) {
    case BaselineKind.BASELINE_KIND_FULL:
      return "Full data";
    case BaselineKind.BASELINE_KIND_RANDOM:
      return "Random real samples";
    case BaselineKind.BASELINE_KIND_HERDING:
      return "Herding";
    case BaselineKind.BASELINE_KIND_KCENTER:
      return "k-centre";
    case BaselineKind.BASELINE_KIND_UNTRAINED:
      return "Untrained learner";
    default:
      return "Baseline";
  }
}
