import { invalid } from "../errors.js";
import {
  AttentionLabels,
  type ExperimentSpec,
  FloatType,
  Pooling,
} from "../generated/stillhouse/v1/spec.js";
import type { Facts } from "./facts.js";
import { type FieldValue, writeField } from "./field-path.js";
import { settingOf } from "./settings.js";
import { givenValue } from "./validate.js";

/**
 * What is about texts and attention, and the value that it has in a spec of images: an image counts
 * as one vector.
 */
const OF_TEXTS: ReadonlyMap<string, FieldValue> = new Map<string, FieldValue>([
  ["dataset.max_length", 5],
  ["model.pooling", Pooling.FIRST],
  ["distilled.seq_len", 1],
  ["distilled.attention_labels", AttentionLabels.NONE],
  ["inner.precision", FloatType.FP32],
  ["inner.encoder_lr_scale", 0],
  ["outer.compile", false],
  ["baseline.setfit", false],
]);

/** Whether a resolved spec is of images. */
export function isOfImages({ dataset }: ExperimentSpec): boolean {
  return dataset?.found?.image !== undefined;
}

/**
 * Gives what is about texts the value that it has for images, and refuses another one.
 *
 * @throws StillhouseError INVALID that names the first flag of a draft that is not for images
 */
export function fitToImages(spec: ExperimentSpec, draft: ExperimentSpec, { dataset }: Facts): void {
  if (!isOfImages(spec)) return;
  for (const [path, value] of OF_TEXTS) {
    const setting = settingOf(path);
    const given = givenValue(draft, setting, path);
    if (given === undefined || given === value) continue;
    const word = path === "baseline.setfit" ? " setfit" : "";
    throw invalid(
      path,
      `--${setting.flag}${word} (${path}) is for texts, and ${dataset.name} holds images`,
    );
  }
  if (draft.outer?.metaGradient === "blockwise") {
    throw invalid(
      "outer.meta_gradient",
      "--meta-gradient (outer.meta_gradient) must be stepwise or unrolled for a network of images, " +
        "which has no blocks, got blockwise",
    );
  }
  if (draft.robustness !== undefined) {
    throw invalid(
      "robustness",
      `robustness is measured for texts alone, and ${dataset.name} holds images`,
    );
  }
  writeImageValues(spec);
  const precision = draft.compute?.precision ?? FloatType.UNSPECIFIED;
  if (precision !== FloatType.UNSPECIFIED) writeField(spec, "compute.precision", precision);
}

/** Gives a preset's values those of images. */
export function writeImageValues(spec: ExperimentSpec): void {
  for (const [path, value] of OF_TEXTS) writeField(spec, path, value);
  // A network is too small for bf16 to save time.
  writeField(spec, "compute.precision", FloatType.FP32);
}
