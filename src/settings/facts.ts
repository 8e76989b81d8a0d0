import { z } from "zod";
import { Source } from "../generated/stillhouse/v1/spec.js";

const count = z.number().int().nonnegative();
const source = z.enum(["local", "hub", "packaged"]);
/** Python sends null or "" for an absent text. */
const optionalText = z
  .string()
  .nullish()
  .transform((text) => text ?? "");

/** What the Python side finds out about a draft: the answer of `inspection.describe`. */
export const factsSchema = z.object({
  dataset: z.object({
    name: z.string().min(1),
    source,
    data_dir: optionalText,
    fingerprint: z.string().min(1),
    substitute_for: optionalText,
    class_names: z.array(z.string()).min(2),
    /** None for images that no table holds. */
    text_columns: z.array(z.string()),
    /** The shape of its images; absent for texts. */
    image: z.object({ channels: count, height: count, width: count }).nullish(),
    label_column: z.string(),
    files: z.array(z.string()),
    skipped: z.array(z.object({ split: z.string(), reason: z.string(), rows: count })),
    test_from: z.enum(["test", "validation", "train"]),
    test_rows_in_train: count,
    train_rows: count,
    validation_rows: count,
    test_rows: count,
  }),
  model: z.object({
    name: z.string().min(1),
    source,
    fingerprint: z.string().min(1),
    /** Fingerprint of the weights alone, by which earlier versions distinguished models. */
    weights_fingerprint: optionalText,
    substitute_for: optionalText,
    parameter_count: count,
    num_layers: count,
    num_heads: count,
    width: count,
    max_positions: count,
    /** Numbers per token of what enters its first layer. */
    entry_width: count,
    /** Tokens to each side that every layer sees at least; 0: all of them. */
    attention_span: count,
    /** Whether `--meta-gradient blockwise` knows its blocks. */
    staged: z.boolean(),
    /** Whether `--inner-dropout` has a place in it. */
    dropout: z.boolean(),
    /** What it was trained to hand to a head; empty where nothing says so. */
    pooling: z.enum(["first", "mean", ""]),
    /** The word vectors of a network of words; absent for other models. */
    embeddings: z
      .object({
        name: z.string().min(1),
        source,
        path: z.string().min(1),
        fingerprint: z.string().min(1),
        words: count,
        width: count,
        train_coverage: z.number().min(0).max(1),
      })
      .nullish(),
  }),
  device: z.object({
    device: z.string().min(1),
    name: z.string(),
    cuda: z.boolean(),
    /** The device computes bf16 fast. */
    bf16: z.boolean(),
    /** Devices that can share its work, itself among them; for the CPU, threads. */
    num_available: count,
    /** Bytes of its memory; 0 where it is not known. */
    memory_bytes: count,
  }),
  notices: z.array(z.string()),
});

export type Facts = z.infer<typeof factsSchema>;

/** The place where something was found, in the proto's words. */
export const SOURCES: Readonly<Record<Facts["dataset"]["source"], Source>> = {
  local: Source.LOCAL,
  hub: Source.HUB,
  packaged: Source.PACKAGED,
};
