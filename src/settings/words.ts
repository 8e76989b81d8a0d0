import { invalid } from "../errors.js";
import {
  AttentionInit,
  AttentionLabels,
  type EmbeddingsFound,
  type ExperimentSpec,
  FloatType,
  HiddenLabels,
  InternalLabels,
  Pooling,
  XInit,
} from "../generated/stillhouse/v1/spec.js";
import { BASELINE_PATHS } from "./baseline-fields.js";
import { type Facts, SOURCES } from "./facts.js";
import { type FieldValue, readField, writeField } from "./field-path.js";
import { settingOf } from "./settings.js";
import { givenValue } from "./validate.js";

/** What is about pretrained encoders, and the value that it has in a spec of a network of words. */
const OF_ENCODERS: ReadonlyMap<string, FieldValue> = new Map<string, FieldValue>([
  ["model.pooling", Pooling.FIRST],
  ["distilled.attention_labels", AttentionLabels.NONE],
  ["distilled.attention_init", AttentionInit.NOISE],
  ["distilled.hidden_labels", HiddenLabels.NONE],
  ["distilled.internal_labels", InternalLabels.LEARNED],
  ["inner.precision", FloatType.FP32],
  ["inner.encoder_lr_scale", 0],
  ["outer.compile", false],
  ["baseline.setfit", false],
]);

/** Whether a resolved spec is of a network that texts enter as word vectors. */
export function isOfWords({ model }: ExperimentSpec): boolean {
  return Boolean(model?.embeddings);
}

/** Fills in which word vectors there are; empty for a model that takes none. */
export function fillInEmbeddings(
  spec: ExperimentSpec,
  draft: ExperimentSpec,
  { model: { embeddings } }: Facts,
): void {
  if (spec.model === undefined) return;
  spec.model.embeddings = embeddings?.name ?? "";
  spec.model.embeddingsFound = embeddings ? foundOf(embeddings) : undefined;
  const wanted = draft.model?.embeddingsFound?.fingerprint;
  const found = embeddings?.fingerprint ?? "";
  if (!wanted || wanted === found) return;
  const path = "model.embeddings_found.fingerprint";
  throw invalid(path, `${path} must be that of the word vectors found, ${found}, got ${wanted}`);
}

function foundOf(embeddings: NonNullable<Facts["model"]["embeddings"]>): EmbeddingsFound {
  const { source, path, fingerprint, words, width, train_coverage: trainCoverage } = embeddings;
  return { source: SOURCES[source], path, fingerprint, words, width, trainCoverage };
}

/**
 * Gives what is about encoders the value that it has for a network of words, and refuses another
 * one.
 *
 * @param notices gets a sentence where not all of all baselines are for such a network
 * @throws StillhouseError INVALID that names the first flag of a draft that is not for such a network
 */
export function fitToWords(
  spec: ExperimentSpec,
  draft: ExperimentSpec,
  { model }: Facts,
  notices: string[],
): void {
  if (!isOfWords(spec)) return;
  const asksForAll = BASELINE_PATHS.every((path) => readField(draft, path) === true);
  if (asksForAll) {
    notices.push(`--baselines all is without setfit, which is for encoders, not ${model.name}.`);
  }
  for (const [path, value] of OF_ENCODERS) {
    if (asksForAll && path.startsWith("baseline.")) continue;
    const given = givenValue(draft, settingOf(path), path);
    if (given !== undefined && given !== value) throw notForWords(path, model.name);
  }
  if (draft.distilled?.xInit === XInit.CLASS_MEANS) {
    throw invalid(
      "distilled.x_init",
      `--x-init (distilled.x_init) must be real or noise for ${model.name}, in which nothing is ` +
        "pretrained, got class-means",
    );
  }
  if (draft.outer?.metaGradient === "blockwise") {
    throw invalid(
      "outer.meta_gradient",
      `--meta-gradient (outer.meta_gradient) must be stepwise or unrolled for ${model.name}, ` +
        "which has no blocks, got blockwise",
    );
  }
  if (draft.robustness !== undefined) {
    throw invalid(
      "robustness",
      `robustness is not measured for networks of word vectors, and this data is distilled for ${model.name}`,
    );
  }
  writeWordValues(spec);
  const precision = draft.compute?.precision ?? FloatType.UNSPECIFIED;
  if (precision !== FloatType.UNSPECIFIED) writeField(spec, "compute.precision", precision);
}

function notForWords(path: string, model: string) {
  const word = path === "baseline.setfit" ? " setfit" : "";
  return invalid(
    path,
    `--${settingOf(path).flag}${word} (${path}) is for pretrained encoders, and ${model} is a network of word vectors`,
  );
}

/** Gives a preset's values those of networks of words. */
export function writeWordValues(spec: ExperimentSpec): void {
  for (const [path, value] of OF_ENCODERS) writeField(spec, path, value);
  // A network is too small for bf16 to save time.
  writeField(spec, "compute.precision", FloatType.FP32);
}
