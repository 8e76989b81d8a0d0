import { invalid } from "../errors.js";
import {
  AttentionLabels,
  type ExperimentSpec,
  FloatType,
  Init,
} from "../generated/stillhouse/v1/spec.js";
import type { Facts } from "./facts.js";
import { readField, writeField } from "./field-path.js";
import { samplesPerBlock } from "./samples.js";
import { settingOf } from "./settings.js";

interface Limit {
  readonly path: string;
  readonly max: number;
  /** What sets the limit, as part of the sentence. */
  readonly reason: string;
}

/**
 * Fits what the preset says to the data set and the model, and refuses what a draft says beyond it.
 *
 * @param notices gets a sentence for every value that gave way.
 * @throws StillhouseError INVALID when a value of the draft is beyond a limit.
 */
export function fitToFacts(
  spec: ExperimentSpec,
  draft: ExperimentSpec,
  facts: Facts,
  notices: string[],
): void {
  fitInits(spec, draft, notices);
  for (const limit of limitsOf(spec, facts)) fitLimit(limit, spec, draft, notices);
  noteSlowPrecision(spec, facts, notices);
}

/**
 * Refuses what the model's architecture cannot do.
 *
 * @throws StillhouseError INVALID
 */
export function checkLearner(spec: ExperimentSpec, { model }: Facts): void {
  const { outer, distilled } = spec;
  if (outer?.metaGradient === "blockwise" && !model.staged) {
    throw invalid(
      "outer.meta_gradient",
      "--meta-gradient blockwise (outer.meta_gradient) differentiates the blocks of BERT and " +
        `DistilBERT alone, and ${model.name} has others; use --meta-gradient stepwise`,
    );
  }
  checkDropout(spec, model);
  const { attentionLabels, seqLen = 0 } = distilled ?? {};
  if (model.attention_span === 0 || attentionLabels === AttentionLabels.NONE) return;
  if (seqLen <= model.attention_span) return;
  throw invalid(
    "distilled.attention_labels",
    `--al (distilled.attention_labels) needs tokens that see each other, and some layers of ${model.name} ` +
      `see ${model.attention_span} to each side, but a sample has ${seqLen}; ` +
      `use --seq-len ${model.attention_span} or --al none`,
  );
}

function checkDropout({ inner, distilled }: ExperimentSpec, model: Facts["model"]): void {
  if (!inner?.dropout) return;
  const flag = "--inner-dropout (inner.dropout)";
  if (!model.dropout) {
    throw invalid(
      "inner.dropout",
      `${flag} must be 0 for ${model.name}, whose architecture has no dropout, got ${inner.dropout}`,
    );
  }
  if (model.staged || distilled?.attentionLabels === AttentionLabels.NONE) return;
  throw invalid(
    "inner.dropout",
    `${flag} must be 0 with attention labels (--al) for ${model.name}, which shows its attention ` +
      `only after dropout, got ${inner.dropout}`,
  );
}

/** With one fixed head all learners are the same, so one is enough. */
function fitInits(spec: ExperimentSpec, draft: ExperimentSpec, notices: string[]): void {
  if (spec.model?.init !== Init.FIXED) return;
  for (const path of ["evaluation.inits", "outer.validation_inits", "outer.inits_per_step"]) {
    const given = readField(draft, path);
    if (given === 0) continue; // no test learners at all
    if (given !== undefined && given !== 1) {
      const flag = `--${settingOf(path).flag}`;
      notices.push(
        `${flag} is 1 instead of ${given}: with --init fixed all learners are the same.`,
      );
    }
    writeField(spec, path, 1);
  }
}

function limitsOf(spec: ExperimentSpec, facts: Facts): Limit[] {
  const { dataset, model, device } = facts;
  const numInBlock = Math.max(1, samplesPerBlock(spec.distilled, dataset.class_names.length));
  const positions = { max: model.max_positions, reason: `the positions of ${model.name}` };
  return [
    { path: "distilled.seq_len", ...positions },
    { path: "dataset.max_length", ...positions },
    {
      path: "outer.validations",
      max: spec.outer?.steps ?? 0,
      reason: "the number of outer steps",
    },
    {
      path: "compute.num_devices",
      max: device.num_available,
      reason: device.cuda
        ? `the CUDA devices from ${device.device} on, or of all workers`
        : "the threads of the CPU that may be used, or the hosts of workers",
    },
    {
      path: "distilled.per_class",
      max: Math.floor(dataset.train_rows / dataset.class_names.length),
      reason: `the rows per class that ${dataset.name} has for training`,
    },
    {
      path: "distilled.samples",
      max: dataset.train_rows,
      reason: `the rows that ${dataset.name} has for training`,
    },
    {
      path: "distilled.blocks",
      max: Math.floor(dataset.train_rows / numInBlock),
      reason: `the blocks of ${numInBlock} samples that the rows of ${dataset.name} make`,
    },
  ];
}

function fitLimit(
  { path, max, reason }: Limit,
  spec: ExperimentSpec,
  draft: ExperimentSpec,
  notices: string[],
): void {
  const value = readField(spec, path) as number;
  if (value <= max) return;
  const flag = `--${settingOf(path).flag}`;
  if (readField(draft, path) !== undefined) {
    throw invalid(path, `${flag} (${path}) must be at most ${max}, ${reason}, got ${value}`);
  }
  writeField(spec, path, max);
  notices.push(`${flag} is ${max} instead of the preset's ${value}: ${reason}.`);
}

function noteSlowPrecision(spec: ExperimentSpec, facts: Facts, notices: string[]): void {
  const precision = spec.compute?.precision;
  const isSlow =
    (precision === FloatType.BF16 && !facts.device.bf16) ||
    (precision === FloatType.FP16 && !facts.device.cuda);
  if (!isSlow) return;
  const word = precision === FloatType.BF16 ? "bf16" : "fp16";
  notices.push(`${facts.device.name} has no fast ${word}; --precision fp32 may be faster.`);
}
