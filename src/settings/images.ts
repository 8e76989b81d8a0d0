import { invalid } from "../errors.js";
import {
  AttentionInit,
  AttentionLabels,
  Augmentation,
  type ExperimentSpec,
  FloatType,
  HiddenLabels,
  InternalLabels,
  Pooling,
  RobustnessCheck,
} from "../generated/stillhouse/v1/spec.js";
import { BASELINE_PATHS } from "./baseline-fields.js";
import type { Facts } from "./facts.js";
import { type FieldValue, readField, writeField } from "./field-path.js";
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
  ["distilled.attention_init", AttentionInit.NOISE],
  ["distilled.hidden_labels", HiddenLabels.NONE],
  ["distilled.internal_labels", InternalLabels.LEARNED],
  ["inner.precision", FloatType.FP32],
  ["inner.encoder_lr_scale", 0],
  ["outer.compile", false],
  ["baseline.setfit", false],
]);

/** What is about images, and the value that it has in a spec of texts. */
const OF_IMAGES: ReadonlyMap<string, FieldValue> = new Map<string, FieldValue>([
  ["outer.augmentation", Augmentation.NONE],
  // A mean of texts is none.
  ["baseline.k_means", false],
]);

/** Whether a resolved spec is of images. */
export function isOfImages({ dataset }: ExperimentSpec): boolean {
  return dataset?.found?.image !== undefined;
}

/**
 * Gives what is about texts the value that it has for images, or the other way round, and refuses
 * another one.
 *
 * @param notices gets a sentence where not all of all baselines are for such data.
 * @throws StillhouseError INVALID that names the first flag of a draft that is not for such data
 */
export function fitToModality(
  spec: ExperimentSpec,
  draft: ExperimentSpec,
  { dataset }: Facts,
  notices: string[],
): void {
  const asked = withoutUnfitOfAll(spec, draft, notices);
  const [others, wanted, held] = modalityOf(spec);
  for (const [path, value] of others) {
    const setting = settingOf(path);
    const given = givenValue(asked, setting, path);
    if (given === undefined || given === value) continue;
    throw invalid(
      path,
      `--${setting.flag}${wordOf(path)} (${path}) is for ${wanted}, and ${dataset.name} holds ${held}`,
    );
  }
  for (const [path, value] of others) writeField(spec, path, value);
  if (!isOfImages(spec)) return;
  if (draft.outer?.metaGradient === "blockwise") {
    throw invalid(
      "outer.meta_gradient",
      "--meta-gradient (outer.meta_gradient) must be stepwise or unrolled for a network of images, " +
        "which has no blocks, got blockwise",
    );
  }
  writeImageValues(spec);
  const precision = draft.compute?.precision ?? FloatType.UNSPECIFIED;
  if (precision !== FloatType.UNSPECIFIED) writeField(spec, "compute.precision", precision);
}

function modalityOf(spec: ExperimentSpec) {
  return isOfImages(spec)
    ? ([OF_TEXTS, "texts", "images"] as const)
    : ([OF_IMAGES, "images", "texts"] as const);
}

/** Who asks for all baselines is given all that are for such data. */
function withoutUnfitOfAll(
  spec: ExperimentSpec,
  draft: ExperimentSpec,
  notices: string[],
): ExperimentSpec {
  if (!BASELINE_PATHS.every((path) => readField(draft, path) === true)) return draft;
  const [others, wanted] = modalityOf(spec);
  const unfit = BASELINE_PATHS.filter((path) => others.has(path));
  const asked = structuredClone(draft);
  for (const path of unfit) writeField(asked, path, false);
  const words = unfit.map((path) => wordOf(path).trim()).join(", ");
  notices.push(`--baselines all is without ${words}, which is for ${wanted}.`);
  return asked;
}

/** The word of a baseline after its flag; of other settings none. */
function wordOf(path: string): string {
  const [group, field = ""] = path.split(".");
  return group === "baseline" ? ` ${field.replaceAll("_", "-")}` : "";
}

/**
 * The checks of robustness that are for images.
 *
 * @throws StillhouseError INVALID where one that is for texts is asked for, but not with all others
 */
export function checksOfImages(checks: readonly RobustnessCheck[]): RobustnessCheck[] {
  const isOfTexts = (check: RobustnessCheck) => check === RobustnessCheck.DECODING;
  if (checks.some(isOfTexts) && checks.length < NUM_CHECKS) {
    throw invalid(
      "robustness.checks",
      "--checks decoding (robustness.checks) is for texts: it finds the tokens of distilled " +
        "vectors, and this data set holds images; leave it out",
    );
  }
  return checks.filter((check) => !isOfTexts(check));
}

const NUM_CHECKS = Object.values(RobustnessCheck).filter(
  (check) => check !== RobustnessCheck.UNSPECIFIED && check !== RobustnessCheck.UNRECOGNIZED,
).length;

/** Gives a preset's values those of images. */
export function writeImageValues(spec: ExperimentSpec): void {
  for (const [path, value] of OF_TEXTS) writeField(spec, path, value);
  // A network is too small for bf16 to save time.
  writeField(spec, "compute.precision", FloatType.FP32);
}
