import { z } from "zod";
import { formatDecimals } from "../text/format.js";
import type { Numbers } from "./number-table.js";

/** The content of distilled data: the answer of `inspection.artifact`. */
export const inspectedSchema = z.object({
  model: z.string(),
  dataset: z.string(),
  class_names: z.array(z.string()),
  learning_rates: z.array(z.number()),
  /** What the data is for, in a few words; empty where it teaches its data set alone. */
  objective: z.string().default(""),
  /** The encoder's rate over these, which are then the head's; null where both have one. */
  encoder_lr_scale: z.number().nullable().default(null),
  samples: z.array(
    z.object({
      class_name: z.string(),
      /** From 1; an earlier worker has one block and does not say so. */
      block: z.number().default(1),
      labels: z.array(z.number()),
      /** By position, the nearest first: token and cosine. */
      positions: z.array(z.array(z.tuple([z.string(), z.number()]))),
      /** By layer, head and key; of the first token. */
      attention: z.array(z.array(z.array(z.number()))).nullable(),
      /** By layer: what the hidden label counts, and its cosine with the state of a trained learner. */
      hidden: z
        .array(z.tuple([z.number(), z.number()]))
        .nullable()
        .default(null),
      /** Address of a PNG that has it as its data; of images alone. */
      image: z.string().optional(),
    }),
  ),
  /** The same of one with all images and their labels. */
  sheet: z.string().optional(),
});

/** Hidden labels as rows of numbers. */
export function hiddenNumbers(hidden: NonNullable<InspectedSample["hidden"]>): Numbers {
  return {
    head: ["layer", "weight", "cosine with a learner's state"],
    rows: hidden.map(([weight, cosine], layer) => [
      `${layer + 1}`,
      formatDecimals(weight, 3),
      formatDecimals(cosine, 3),
    ]),
  };
}

/** The class of a sample at its start, with its block where there are several. */
export function sampleName(
  { samples }: Pick<Inspected, "samples">,
  { class_name: name, block }: Pick<InspectedSample, "class_name" | "block">,
): string {
  const numBlocks = Math.max(...samples.map((sample) => sample.block));
  return numBlocks === 1 ? name : `${name}, block ${block}`;
}

export type Inspected = z.infer<typeof inspectedSchema>;
export type InspectedSample = Inspected["samples"][number];
