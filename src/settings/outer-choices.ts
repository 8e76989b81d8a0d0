import { invalid } from "../errors.js";
import {
  type ExperimentSpec,
  LrSchedule,
  OuterOptimiser,
} from "../generated/stillhouse/v1/spec.js";
import { BETA1, BETA2, LR_DECAY } from "./earlier-spec.js";
import { readField } from "./field-path.js";
import { settingOf } from "./settings.js";
import { writtenValue } from "./values.js";

/** A setting that only some choices of another one know. */
interface Dependent {
  readonly path: string;
  /** The value that says nothing. */
  readonly neutral: number;
  readonly of: string;
  readonly needs: readonly string[];
}

const ADAMS = { of: "outer.optimiser", needs: [OuterOptimiser.ADAM, OuterOptimiser.ADAMW] };
const ADAMW = { of: "outer.optimiser", needs: [OuterOptimiser.ADAMW] };
const STEP = { of: "outer.lr_schedule", needs: [LrSchedule.STEP] };

const DEPENDENTS: readonly Dependent[] = [
  { path: "outer.beta1", neutral: BETA1, ...ADAMS },
  { path: "outer.beta2", neutral: BETA2, ...ADAMS },
  { path: "outer.weight_decay", neutral: 0, ...ADAMW },
  { path: "outer.labels_weight_decay", neutral: 0, ...ADAMW },
  { path: "outer.rates_weight_decay", neutral: 0, ...ADAMW },
  { path: "outer.momentum", neutral: 0, of: "outer.optimiser", needs: [OuterOptimiser.SGD] },
  { path: "outer.lr_decay", neutral: LR_DECAY, ...STEP },
  { path: "outer.lr_decay_epochs", neutral: 0, ...STEP },
  { path: "outer.lr_decay_steps", neutral: 0, ...STEP },
];

/**
 * Checks that the optimiser and the schedule know what else is said about them.
 *
 * @throws StillhouseError INVALID that names the first field at fault.
 */
export function checkOuterChoices(spec: ExperimentSpec): void {
  for (const { path, neutral, of, needs } of DEPENDENTS) {
    const [value, chosen] = [readField(spec, path), readField(spec, of)];
    if (value === neutral || needs.includes(chosen as string)) continue;
    const choice = settingOf(of);
    const words = needs.map((need) => writtenValue(choice, need)).join(" or ");
    throw invalid(
      path,
      `--${settingOf(path).flag} (${path}) needs --${choice.flag} ${words}, got ${value} with ` +
        `--${choice.flag} ${writtenValue(choice, chosen ?? "")}`,
    );
  }
  if (spec.outer?.lrSchedule === LrSchedule.STEP && !spec.outer.lrDecaySteps) {
    throw invalid(
      "outer.lr_decay_steps",
      "--lr-decay-steps (outer.lr_decay_steps) must be ≥ 1 with --lr-schedule step, got 0",
    );
  }
}
