import type { Range } from "./range.js";

// Upper bounds of counts are far above any sensible use: they catch a typing mistake before
// it fills a disk or a queue.
export const COUNT: Range = { integer: true, min: 1, max: 1_000_000 };
export const COUNT_OR_NONE: Range = { ...COUNT, min: 0 };
export const CLASS: Range = { integer: true, min: 0, max: 1_000_000 };
/** A result holds each learner, and an evaluation is cut into shards of ten of them. */
export const LEARNERS: Range = { integer: true, min: 1, max: 10_000 };
export const INNER_STEPS: Range = { integer: true, min: 1, max: 10_000 };
export const OUTER_STEPS: Range = { integer: true, min: 1, max: 1_000_000_000 };
/** The shortest pair of texts: a first token, two separators and a token of each text. */
export const TEXT_TOKENS: Range = { integer: true, min: 5, max: 1_000_000 };
export const UINT32: Range = { integer: true, min: 0, max: 2 ** 32 - 1 };
export const POSITIVE: Range = { min: 0, aboveMin: true };
/** Beyond this a step of Adam or a rate's decay leaves fp32, whatever the data. */
export const RATE: Range = { min: 0, aboveMin: true, max: 1e30 };
export const RATE_OR_NONE: Range = { ...RATE, aboveMin: false };
/** As for a rate. */
export const WEIGHT: Range = { min: 0, max: 1e30 };
export const SHARE: Range = { min: 0, max: 1, belowMax: true };
export const FACTOR: Range = { min: 0, aboveMin: true, max: 1 };
export const POSITIVE_SHARE: Range = { ...SHARE, aboveMin: true };
