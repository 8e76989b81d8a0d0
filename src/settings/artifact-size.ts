import {
  AttentionLabels,
  type ExperimentSpec,
  FloatType,
  HiddenLabels,
} from "../generated/stillhouse/v1/spec.js";
import type { Facts } from "./facts.js";
import { numSamples } from "./samples.js";

/** From this size on the plan says before the run how much will be stored. */
const LARGE_BYTES = 64_000_000;

const BYTES_OF_FP32 = 4;
const BYTES_OF_FP16 = 2;

/** Bytes of the distilled data as it will be stored: samples and labels of every kind. */
export function artifactBytes(spec: ExperimentSpec, facts: Facts): number {
  const { seqLen = 0, artifactDtype } = spec.distilled ?? {};
  const numClasses = facts.dataset.class_names.length;
  const count = numSamples(spec, numClasses);
  const vectors = count * seqLen * facts.model.entry_width;
  const labels = count * numClasses;
  const bytesOfAttention = artifactDtype === FloatType.FP16 ? BYTES_OF_FP16 : BYTES_OF_FP32;
  const hidden = count * hiddenNumbers(spec, facts);
  return (
    (vectors + labels + hidden) * BYTES_OF_FP32 +
    count * attentionNumbers(spec, facts) * bytesOfAttention
  );
}

/** The sentence to show when the distilled data is large; undefined when it is not. */
export function largeArtifactNotice(spec: ExperimentSpec, bytes: number): string | undefined {
  if (bytes <= LARGE_BYTES) return undefined;
  const size = `The distilled data will take ${Math.round(bytes / 1e6)} MB`;
  const { attentionLabels, artifactDtype } = spec.distilled ?? {};
  const canBeHalved = attentionLabels === AttentionLabels.ALL && artifactDtype === FloatType.FP32;
  if (!canBeHalved) return `${size}.`;
  return `${size}, nearly all of it attention labels; --artifact-dtype fp16 halves them.`;
}

/** Hidden labels per sample: L x E. */
function hiddenNumbers({ distilled }: ExperimentSpec, { model }: Facts): number {
  return distilled?.hiddenLabels === HiddenLabels.CLS ? model.num_layers * model.width : 0;
}

/** Attention labels per sample: L x Hd x S for the first query, L x Hd x S x S for all of them. */
function attentionNumbers(spec: ExperimentSpec, facts: Facts): number {
  const { attentionLabels, seqLen = 0 } = spec.distilled ?? {};
  const perQuery = facts.model.num_layers * facts.model.num_heads * seqLen;
  if (attentionLabels === AttentionLabels.CLS) return perQuery;
  return attentionLabels === AttentionLabels.ALL ? perQuery * seqLen : 0;
}
