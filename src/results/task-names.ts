import { replayMethodWord } from "./replay-names.js";
import { baselineLabel, type NamedSpec } from "./spec-labels.js";

/** A part of a data set, in either form of the message. */
interface NamedPart {
  readonly classes: readonly number[];
  readonly permutationSeed?: number | undefined;
}

/** A task by its work, in either form of the message. */
export interface NamedTask {
  readonly id: string;
  readonly work?:
    | {
        readonly kind?:
          | { readonly $case: "pretrain"; readonly value: { readonly teacher: boolean } }
          | {
              readonly $case: "distill";
              readonly value: { readonly part?: NamedPart | undefined; readonly seed: number };
            }
          | {
              readonly $case: "replay";
              readonly value: { readonly method: string; readonly seed: number };
            }
          | {
              readonly $case: "evaluate";
              readonly value: { readonly variation?: { readonly name: string } | undefined };
            }
          | { readonly $case: "baseline"; readonly value: { readonly kind: string } }
          | undefined;
      }
    | undefined;
}

/**
 * The name of a task on the screen.
 *
 * @param spec of its experiment, since a baseline is called as its row is there
 */
export function taskName({ work, id }: NamedTask, spec: NamedSpec | undefined): string {
  switch (work?.kind?.$case) {
    case "pretrain":
      return work.kind.value.teacher ? "Teacher" : "Pretraining";
    case "distill": {
      const { part, seed } = work.kind.value;
      return part === undefined ? "Distillation" : `Memory of ${partText(part)}, seed ${seed}`;
    }
    case "replay": {
      const { method, seed } = work.kind.value;
      return `Replay, ${replayMethodWord(method)}, seed ${seed}`;
    }
    case "evaluate": {
      const { variation } = work.kind.value;
      if (variation === undefined) return "Evaluation";
      return `Evaluation, ${variation.name.replaceAll("-", " ")}`;
    }
    case "baseline":
      return baselineLabel(work.kind.value.kind, spec) || "Baseline";
    default:
      return id;
  }
}

function partText({ classes, permutationSeed }: NamedPart): string {
  if (permutationSeed !== undefined) return `order ${permutationSeed} of pixels`;
  return `${classes.length === 1 ? "class" : "classes"} ${classes.join(", ")}`;
}

/** The names of the tasks of one experiment; tasks of the same name are numbered. */
export function taskNames(tasks: readonly NamedTask[], spec: NamedSpec | undefined): string[] {
  const names = tasks.map((task) => taskName(task, spec));
  return names.map((name, at) => {
    const count = names.filter((other) => other === name).length;
    if (count === 1) return name;
    const number = names.slice(0, at + 1).filter((other) => other === name).length;
    return `${name}, ${number} of ${count}`;
  });
}
