import { type ExperimentSpec, FloatType } from "../generated/stillhouse/v1/spec.js";
import type { Facts } from "./facts.js";
import { samplesPerBlock } from "./samples.js";
import { hasTeacher } from "./teacher.js";

export const MIB = 2 ** 20;
const FP32_BYTES = 4;
/** Memory that a PyTorch process takes on a CUDA device before it computes. */
const CONTEXT_BYTES = 600 * MIB;
/** More than any of the networks takes, all of whose maps are small. */
const NETWORK_BYTES = 2048 * MIB;
/** Weights, gradients and the two moments of Adam. */
const TRAINED_COPIES = 4;
/** θ before and after the inner steps, its gradient, v, and two products that come and go. */
const DISTILLING_COPIES = 6;
/** Values, gradients and tangents of an inner step. */
const SECOND_ORDER = 3;
/** Share of the device that tasks may use: the driver and other programs need some of it. */
const MOST_OF_DEVICE = 0.9;

/**
 * MiB of its device that a task of a spec is given unless a draft says otherwise: on CUDA what the
 * larger of distilling and full-data training is expected to take at its peak, at most nearly all
 * of the device. On a CPU 0, since a host can swap.
 *
 * @param spec resolved but for this
 */
export function defaultMemoryMib(spec: ExperimentSpec, facts: Facts): number {
  const { cuda, memory_bytes } = facts.device;
  if (!cuda) return 0;
  if (facts.dataset.image || facts.model.embeddings) {
    const kept = spec.outer?.activationMib ?? 0;
    return Math.floor((CONTEXT_BYTES + NETWORK_BYTES) / MIB) + kept;
  }
  const bytes = CONTEXT_BYTES + Math.max(distillBytes(spec, facts), fullTrainingBytes(spec, facts));
  const most = memory_bytes > 0 ? memory_bytes * MOST_OF_DEVICE : Number.POSITIVE_INFINITY;
  return Math.floor(Math.min(bytes, most) / MIB);
}

function distillBytes(spec: ExperimentSpec, facts: Facts): number {
  const { distilled, inner, outer } = spec;
  const { trajectoryMib = 0, activationMib = 0, metaGradient, window } = outer ?? {};
  // What is kept of a step is needed by the walk back alone.
  const steps = window || (inner?.steps ?? 1);
  // Layers of ALBERT share their weights, so that all of them may be fewer than those of blocks.
  const copy = Math.min(blockBytes(facts), weightBytes(facts));
  const { length: numClasses } = facts.dataset.class_names;
  const oneStep = activationBytes(
    samplesPerBlock(distilled, numClasses),
    distilled?.seqLen ?? 0,
    FP32_BYTES,
    facts,
  );
  // Stepwise keeps graphs, which are as large as what an unrolled step takes.
  const graphs = SECOND_ORDER * oneStep * steps;
  const kept = metaGradient === "blockwise" ? oneStep * steps : graphs;
  const innerBytes =
    metaGradient === "unrolled"
      ? graphs
      : SECOND_ORDER * oneStep + Math.min(kept, activationMib * MIB);
  const batchBytes = realBatchBytes(spec, outer?.batchSize ?? 0, facts);
  const trajectory = Math.min(copy * steps, trajectoryMib * MIB);
  return (
    weightBytes(facts) + DISTILLING_COPIES * copy + trajectory + Math.max(innerBytes, batchBytes)
  );
}

function fullTrainingBytes(spec: ExperimentSpec, facts: Facts): number {
  if (!spec.baseline?.full && !hasTeacher(spec)) return 0;
  const batchBytes = realBatchBytes(spec, spec.baseline?.fullBatchSize ?? 0, facts);
  return TRAINED_COPIES * weightBytes(facts) + batchBytes;
}

function realBatchBytes(
  { dataset, compute }: Pick<ExperimentSpec, "dataset" | "compute">,
  numTexts: number,
  facts: Facts,
): number {
  const bytesOfNumber = compute?.precision === FloatType.FP32 ? FP32_BYTES : 2;
  return activationBytes(numTexts, dataset?.maxLength ?? 0, bytesOfNumber, facts);
}

/** What a backward pass needs from a forward pass: Korthikanti et al. 2022, equation 1. */
function activationBytes(
  numRows: number,
  numTokens: number,
  bytesOfNumber: number,
  { model }: Facts,
): number {
  const numbersOfToken = 17 * model.width + 2.5 * model.num_heads * numTokens;
  return numRows * numTokens * model.num_layers * numbersOfToken * bytesOfNumber;
}

/** The parameters of the blocks: four square matrices of attention, and eight of the two layers. */
function blockBytes({ model }: Facts): number {
  return 12 * model.num_layers * model.width ** 2 * FP32_BYTES;
}

function weightBytes({ model }: Facts): number {
  return model.parameter_count * FP32_BYTES;
}
