import { basename } from "node:path";
import { OF_SAMPLES } from "../../baselines.js";
import {
  Optimiser,
  SampleSource,
  type Variation,
} from "../../generated/stillhouse/v1/experiment.js";
import { HeadInit, type TransferModel } from "../../generated/stillhouse/v1/spec.js";

const SAMPLES: ReadonlyMap<string, string> = new Map([
  [SampleSource.DECODED, "nearest tokens"],
  ...OF_SAMPLES.map(({ samples, label }) => [samples, label.toLowerCase()] as const),
]);

const HEADS: Partial<Record<HeadInit, string>> = {
  [HeadInit.DEFAULT]: "head of nn.Linear's law",
  [HeadInit.NORMAL]: "head from N(0, 0.02)",
};

/** What differs, in words, such as "nearest tokens, hard labels". */
export function variationText(variation: Variation): string {
  const { steps, optimiser, batchSize, shuffled, hardLabels, transferTo } = variation;
  const isReal =
    variation.samples !== SampleSource.DECODED && SAMPLES.get(variation.samples) !== undefined;
  const parts = [
    transferTo && `trains ${transferText(transferTo)}`,
    SAMPLES.get(variation.samples),
    isReal && !hardLabels && "labels of the distilled data",
    hardLabels && "hard labels",
    variation.withoutAttentionLabels && "no attention labels",
    steps > 0 && `${steps} step${steps === 1 ? "" : "s"}`,
    optimiser === Optimiser.ADAM && "Adam",
    batchSize > 0 && `${batchSize} sample${batchSize === 1 ? "" : "s"} a gradient step`,
    shuffled && "shuffled",
    HEADS[variation.headInit],
  ];
  return parts.filter(Boolean).join(", ") || "as distilled";
}

function transferText({ name, numLayers, numHeads }: TransferModel): string {
  return `${basename(name)} (${numLayers} layers, ${numHeads} heads)`;
}
