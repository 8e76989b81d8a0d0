import { OF_SAMPLES } from "../baselines.js";

/** A `Variation` in either form of the message. Enums by their names. */
export interface VariationSettings {
  readonly name: string;
  readonly steps: number;
  readonly optimiser: string;
  readonly batchSize: number;
  readonly shuffled: boolean;
  readonly headInit: string;
  readonly withoutAttentionLabels: boolean;
  readonly withoutHiddenLabels: boolean;
  readonly hardLabels: boolean;
  readonly samples: string;
  readonly transferTo?: TransferSettings | undefined;
}

interface TransferSettings {
  readonly name: string;
  readonly numLayers: number;
  readonly numHeads: number;
}

const DECODED = "SAMPLE_SOURCE_DECODED";

const SAMPLES: ReadonlyMap<string, string> = new Map([
  [DECODED, "nearest tokens"],
  ...OF_SAMPLES.map(({ samples, label }) => [samples, label.toLowerCase()] as const),
]);

const HEADS: ReadonlyMap<string, string> = new Map([
  ["HEAD_INIT_DEFAULT", "head initialised as by nn.Linear"],
  ["HEAD_INIT_NORMAL", "head from N(0, 0.02)"],
]);

/** The differences in words, such as "nearest tokens, hard labels". */
export function variationText(variation: VariationSettings): string {
  const { steps, optimiser, batchSize, shuffled, hardLabels, transferTo, samples } = variation;
  const isReal = samples !== DECODED && SAMPLES.has(samples);
  const parts = [
    transferTo && `trains ${transferText(transferTo)}`,
    SAMPLES.get(samples),
    isReal && !hardLabels && "labels of the distilled data",
    hardLabels && "hard labels",
    variation.withoutAttentionLabels && "no attention labels",
    variation.withoutHiddenLabels && "no hidden labels",
    steps > 0 && `${steps} step${steps === 1 ? "" : "s"}`,
    optimiser === "OPTIMISER_ADAM" && "Adam",
    batchSize > 0 && `${batchSize} sample${batchSize === 1 ? "" : "s"} per gradient step`,
    shuffled && "shuffled",
    HEADS.get(variation.headInit),
  ];
  return parts.filter(Boolean).join(", ") || "as distilled";
}

function transferText({ name, numLayers, numHeads }: TransferSettings): string {
  const last = name.split(/[\\/]/).findLast(Boolean) ?? name;
  // A network of images has neither.
  return numLayers === 0 ? last : `${last} (${numLayers} layers, ${numHeads} heads)`;
}
