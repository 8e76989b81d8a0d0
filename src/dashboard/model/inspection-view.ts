/** A token of the vocabulary and its cosine with a distilled vector, -1 to 1. */
export type NearToken = readonly [token: string, similarity: number];

/** By layer, head and key: the attention probabilities of the first token. */
export type Attention = readonly (readonly (readonly number[])[])[];

export type HiddenLabel = readonly [weight: number, cosine: number];

export interface SampleView {
  /** Its class at the start, with its block where there are several. */
  readonly className: string;
  /** One per class: a probability, or a real number where they are unrestricted. */
  readonly labels: readonly number[];
  /** By position, the nearest first. */
  readonly positions: readonly (readonly NearToken[])[];
  readonly attention: Attention | undefined;
  /** The attention of a learner trained on the data, where it was measured. */
  readonly learnerAttention: Attention | undefined;
  /** By layer: what the hidden label counts, and its cosine with the state of that learner. */
  readonly hidden: readonly HiddenLabel[] | undefined;
  /** Address of a PNG that has it as its data; of images alone. */
  readonly image: string | undefined;
}

export interface Inspection {
  readonly model: string;
  readonly dataset: string;
  readonly classNames: readonly string[];
  /** What the data is for, in a few words; empty where it teaches its data set alone. */
  readonly objective: string;
  /** One per inner step. */
  readonly learningRates: readonly number[];
  /** The encoder's rate over these, which are then the head's. */
  readonly encoderScale: number | undefined;
  readonly samples: readonly SampleView[];
  /** Address of a PNG of all images with their labels. */
  readonly sheet: string | undefined;
}

/** The answer of the endpoint that inspects distilled data. */
export interface InspectionDocument {
  readonly model: string;
  readonly dataset: string;
  readonly class_names: readonly string[];
  readonly objective?: string;
  readonly learning_rates: readonly number[];
  readonly encoder_lr_scale?: number | null;
  readonly samples: readonly {
    readonly class_name: string;
    readonly block?: number;
    readonly labels: readonly number[];
    readonly positions: readonly (readonly NearToken[])[];
    readonly attention: Attention | null;
    readonly learner_attention?: Attention | null;
    readonly hidden?: readonly HiddenLabel[] | null;
    readonly image?: string;
  }[];
  readonly sheet?: string;
}

export function inspectionView(document: InspectionDocument): Inspection {
  const { model, dataset, class_names, learning_rates, samples, sheet } = document;
  const hasBlocks = samples.some(({ block = 1 }) => block > 1);
  return {
    model,
    dataset,
    classNames: class_names,
    objective: document.objective ?? "",
    learningRates: learning_rates,
    encoderScale: document.encoder_lr_scale ?? undefined,
    sheet,
    samples: samples.map((sample) => ({
      className: hasBlocks ? `${sample.class_name}, block ${sample.block}` : sample.class_name,
      labels: sample.labels,
      positions: sample.positions,
      attention: sample.attention ?? undefined,
      learnerAttention: sample.learner_attention ?? undefined,
      hidden: sample.hidden ?? undefined,
      image: sample.image,
    })),
  };
}
