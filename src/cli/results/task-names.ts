import { baselineOfKind } from "../../baselines.js";
import type { Task } from "../../generated/stillhouse/v1/experiment.js";

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
      return baselineOfKind(task.work.kind.value.kind)?.label ?? "Baseline";
    default:
      return task.id;
  }
}

/** The names of the tasks of one experiment; several of one name are numbered. */
export function taskNames(tasks: readonly Task[]): string[] {
  const names = tasks.map(taskName);
  return names.map((name, at) => {
    const count = names.filter((other) => other === name).length;
    if (count === 1) return name;
    const number = names.slice(0, at + 1).filter((other) => other === name).length;
    return `${name}, ${number} of ${count}`;
  });
}
