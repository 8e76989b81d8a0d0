import { createHash } from "node:crypto";
import { BaselineKind, type BaselineWork } from "../generated/stillhouse/v1/experiment.js";
import type { ExperimentSpec } from "../generated/stillhouse/v1/spec.js";

/**
 * Hash of all that determines the result of a baseline, so that a second experiment reuses it and
 * a change of any of it never does.
 *
 * @param spec resolved
 * @param codeVersion hash over what computes: the sources of the worker and its lock file
 * @returns SHA-256 as 64 hexadecimal digits
 */
export function cacheKey(spec: ExperimentSpec, work: BaselineWork, codeVersion: string): string {
  const parts = [...sharedParts(spec, work, codeVersion), ...kindParts(spec, work.kind)];
  // Pairs in a fixed order; JSON keeps every digit of a double.
  return createHash("sha256").update(JSON.stringify(parts)).digest("hex");
}

type Part = readonly [name: string, value: unknown];

function sharedParts(spec: ExperimentSpec, work: BaselineWork, codeVersion: string): Part[] {
  return [
    ["kind", work.kind],
    ["code_version", codeVersion],
    ["dataset.fingerprint", spec.dataset?.fingerprint],
    ["dataset.max_length", spec.dataset?.maxLength],
    ["dataset.validation_fraction", spec.dataset?.validationFraction],
    ["model.fingerprint", spec.model?.fingerprint],
    ["model.head_init", spec.model?.headInit],
    ["model.init", spec.model?.init],
    ["compute.precision", spec.compute?.precision],
    // The kind of device: another card of the same kind counts as the same.
    ["compute.device", spec.compute?.device?.split(":")[0]],
    ["seed", spec.seed],
    ["init_seeds", work.initSeeds],
  ];
}

function kindParts(spec: ExperimentSpec, kind: BaselineKind): Part[] {
  if (kind === BaselineKind.BASELINE_KIND_FULL) {
    return [
      ["baseline.full_epochs", spec.baseline?.fullEpochs],
      ["baseline.full_batch_size", spec.baseline?.fullBatchSize],
      ["baseline.full_lr", spec.baseline?.fullLr],
      ["baseline.full_dropout", spec.baseline?.fullDropout],
      // The full-data training warms up over the same share of its steps.
      ["outer.warmup_fraction", spec.outer?.warmupFraction],
      // Whether the best epoch on validation is kept, or the last.
      ["evaluation.protocol", spec.evaluation?.protocol],
    ];
  }
  if (kind === BaselineKind.BASELINE_KIND_RANDOM) {
    return [
      ["distilled.per_class", spec.distilled?.perClass],
      ["inner.steps", spec.inner?.steps],
    ];
  }
  return [];
}
