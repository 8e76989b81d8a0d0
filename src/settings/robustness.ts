import { invalid } from "../errors.js";
import type { ExperimentSpec, RobustnessSpec } from "../generated/stillhouse/v1/spec.js";
import { RobustnessCheck, type TransferModel } from "../generated/stillhouse/v1/spec.js";
import type { Facts } from "./facts.js";

const MAX_STEPS = 10_000;
const SHA256 = /^[0-9a-f]{64}$/;

/**
 * Twice and five times the steps that the data was distilled for; with several also the first
 * alone.
 */
export function defaultSteps(steps: number): number[] {
  return [...(steps > 1 ? [1] : []), 2 * steps, 5 * steps];
}

/**
 * A resolved request, given what was found.
 *
 * @param transfers what was found for each encoder of `transferTo`, in their order
 * @throws StillhouseError INVALID for an encoder that the distilled vectors do not fit into
 */
export function resolveRobustness(
  { robustness, inner }: ExperimentSpec,
  model: Facts["model"],
  transfers: readonly Facts["model"][],
  seqLen: number,
): RobustnessSpec | undefined {
  if (robustness === undefined) return undefined;
  const { checks, steps } = robustness;
  const wantsSteps = checks.includes(RobustnessCheck.STEPS);
  return {
    ...robustness,
    steps: wantsSteps && steps.length === 0 ? defaultSteps(inner?.steps ?? 1) : steps,
    transferTo: transfers.map((found) => transferModel(found, model, seqLen)),
    numLayers: model.num_layers,
    numHeads: model.num_heads,
  };
}

function transferModel(
  found: Facts["model"],
  model: Facts["model"],
  seqLen: number,
): TransferModel {
  if (found.entry_width !== model.entry_width) {
    throw invalid(
      TRANSFER,
      `--transfer-to ${found.name}: its width must be ${model.entry_width}, that of ${model.name}, got ${found.entry_width}`,
    );
  }
  if (found.max_positions < seqLen) {
    throw invalid(
      TRANSFER,
      `--transfer-to ${found.name}: it must have ${seqLen} positions, as many as a distilled sample, got ${found.max_positions}`,
    );
  }
  return {
    name: found.name,
    fingerprint: found.fingerprint,
    numLayers: found.num_layers,
    numHeads: found.num_heads,
  };
}

const TRANSFER = "robustness.transfer_to";

/**
 * Checks a resolved request.
 *
 * @throws StillhouseError INVALID that names the first field at fault.
 */
export function validateRobustness(robustness: RobustnessSpec): void {
  const { artifactId, artifactSha256, checks, steps, transferTo } = robustness;
  if (artifactId === "" || !SHA256.test(artifactSha256)) {
    throw invalid(
      "robustness.artifact_id",
      "robustness must name an artifact by its id and the SHA-256 of its manifest",
    );
  }
  const isKnown = (check: RobustnessCheck) =>
    check !== RobustnessCheck.UNSPECIFIED && check !== RobustnessCheck.UNRECOGNIZED;
  if (!checks.every(isKnown) || new Set(checks).size < checks.length) {
    throw invalid("robustness.checks", "robustness.checks must be known and distinct");
  }
  const isCount = (count: number) => Number.isInteger(count) && count >= 1 && count <= MAX_STEPS;
  if (!steps.every(isCount) || new Set(steps).size < steps.length) {
    throw invalid(
      "robustness.steps",
      `robustness.steps must be distinct integers from 1 to ${MAX_STEPS}, got ${steps.join(",")}`,
    );
  }
  const names = transferTo.map(({ name }) => name);
  if (names.includes("") || new Set(names).size < names.length) {
    throw invalid(TRANSFER, `${TRANSFER} must name distinct models, got ${names.join(", ")}`);
  }
}
