import { Gauge, type Registry } from "prom-client";
import { BASELINE_IDS, type BaselineId } from "../baselines.js";
import type { ExperimentSpec } from "../generated/stillhouse/v1/spec.js";

/** What the learners behind an accuracy were trained on. */
export type Learners = "distilled" | BaselineId;

const LEARNERS: readonly Learners[] = ["distilled", ...BASELINE_IDS];

/** The series per experiment. */
export class ExperimentGauges {
  readonly #info: Gauge<"experiment" | "dataset" | "model" | "labels" | "attention_labels">;
  readonly #accuracy: Gauge<"experiment" | "learners">;
  readonly #validation: Gauge<"experiment">;
  readonly #loss: Gauge<"experiment">;
  readonly #progress: Gauge<"experiment">;

  constructor(registry: Registry) {
    const registers = [registry];
    const labelNames = ["experiment"] as const;
    this.#info = new Gauge({
      name: "stillhouse_experiment_info",
      help: "What an experiment is; always 1.",
      labelNames: [...labelNames, "dataset", "model", "labels", "attention_labels"],
      registers,
    });
    this.#accuracy = new Gauge({
      name: "stillhouse_experiment_accuracy_ratio",
      help: "Mean test accuracy of the learners tested so far, by what they were trained on.",
      labelNames: [...labelNames, "learners"],
      registers,
    });
    this.#validation = new Gauge({
      name: "stillhouse_experiment_validation_accuracy_ratio",
      help: "Validation accuracy of the distilled data, as last measured.",
      labelNames,
      registers,
    });
    this.#loss = new Gauge({
      name: "stillhouse_experiment_outer_loss",
      help: "Outer loss at the last step.",
      labelNames,
      registers,
    });
    this.#progress = new Gauge({
      name: "stillhouse_experiment_progress_ratio",
      help: "Share of the outer steps that are done.",
      labelNames,
      registers,
    });
  }

  info(experiment: string, spec: ExperimentSpec | undefined): void {
    this.#info.set(infoLabels(experiment, spec), 1);
  }

  accuracy(experiment: string, learners: Learners, ratio: number): void {
    this.#accuracy.set({ experiment, learners }, ratio);
  }

  validation(experiment: string, ratio: number): void {
    this.#validation.set({ experiment }, ratio);
  }

  loss(experiment: string, value: number): void {
    this.#loss.set({ experiment }, value);
  }

  progress(experiment: string, ratio: number): void {
    this.#progress.set({ experiment }, ratio);
  }

  remove(experiment: string, spec: ExperimentSpec | undefined): void {
    this.#info.remove(infoLabels(experiment, spec));
    for (const learners of LEARNERS) this.#accuracy.remove({ experiment, learners });
    for (const gauge of [this.#validation, this.#loss, this.#progress]) {
      gauge.remove({ experiment });
    }
  }
}

function infoLabels(experiment: string, spec: ExperimentSpec | undefined) {
  return {
    experiment,
    dataset: spec?.dataset?.name ?? "",
    model: spec?.model?.name ?? "",
    labels: lastWord(spec?.distilled?.labels),
    attention_labels: lastWord(spec?.distilled?.attentionLabels),
  };
}

/** "LABELS_HARD" → "hard". */
function lastWord(name: string | undefined): string {
  return name?.split("_").at(-1)?.toLowerCase() ?? "";
}
