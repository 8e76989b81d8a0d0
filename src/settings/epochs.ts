import { invalid } from "../errors.js";
import type { ExperimentSpec } from "../generated/stillhouse/v1/spec.js";
import { readField, writeField } from "./field-path.js";
import { settingOf } from "./settings.js";

/** Paths of two fields that say the same: a number of outer steps, and of passes over train. */
export interface StepsAndEpochs {
  readonly steps: string;
  readonly epochs: string;
}

export const OUTER_STEPS: StepsAndEpochs = { steps: "outer.steps", epochs: "outer.epochs" };
export const LR_DECAY_STEPS: StepsAndEpochs = {
  steps: "outer.lr_decay_steps",
  epochs: "outer.lr_decay_epochs",
};

/** Makes epochs and steps agree: a draft gives one of them, or the preset does. */
export function fillInSteps(
  spec: ExperimentSpec,
  draft: ExperimentSpec,
  paths: StepsAndEpochs,
  trainRows: number,
): void {
  const givenSteps = readField(draft, paths.steps);
  if (givenSteps !== undefined && !readField(draft, paths.epochs)) {
    writeField(spec, paths.epochs, 0);
  }
  const epochs = Number(readField(spec, paths.epochs) ?? 0);
  if (epochs === 0) return;
  const steps = stepsOfEpochs(epochs, trainRows, spec.outer?.batchSize ?? 1);
  if (givenSteps !== undefined && givenSteps !== steps) {
    const [byEpochs, bySteps] = [paths.epochs, paths.steps].map(
      (path) => `--${settingOf(path).flag} (${path})`,
    );
    throw invalid(
      paths.steps,
      `${byEpochs} and ${bySteps} exclude each other, got ${epochs} and ${givenSteps}`,
    );
  }
  writeField(spec, paths.steps, steps);
}

/** Of two fields that say the same, the one that follows from the other. */
export function followingField(spec: ExperimentSpec, { steps, epochs }: StepsAndEpochs): string {
  return readField(spec, epochs) ? steps : epochs;
}

function stepsOfEpochs(epochs: number, numRows: number, batchSize: number): number {
  // In floating point a product such as 0.1 · 30 is slightly above the exact value.
  return Math.max(1, Math.ceil((epochs * numRows) / batchSize - 1e-9));
}
