import { invalid } from "../errors.js";
import { type ExperimentSpec, LabelInit, Labels } from "../generated/stillhouse/v1/spec.js";
import { readField, writeField } from "./field-path.js";
import { settingOf } from "./settings.js";

/** What a number of distilled samples follows from. */
export interface SampleCounts {
  readonly perClass?: number | undefined;
  readonly samples?: number | undefined;
}

/** Distilled samples that an inner step trains on. */
export function samplesPerBlock(counts: SampleCounts | undefined, numClasses: number): number {
  return counts?.samples || (counts?.perClass ?? 0) * numClasses;
}

/** All distilled samples. */
export function numSamples({ distilled }: ExperimentSpec, numClasses: number): number {
  return samplesPerBlock(distilled, numClasses) * (distilled?.blocks ?? 1);
}

/**
 * Makes the numbers of samples agree, of which a draft gives one: per class, or in all.
 *
 * @throws StillhouseError INVALID for a draft that gives both
 */
export function fillInSamples(spec: ExperimentSpec, draft: ExperimentSpec): void {
  const { samples = 0, perClass = 0 } = draft.distilled ?? {};
  if (samples > 0 && perClass > 0) {
    throw invalid(
      "distilled.samples",
      `${named("distilled.per_class")} and ${named("distilled.samples")} exclude each other, ` +
        `got ${perClass} and ${samples}`,
    );
  }
  if (samples > 0) writeField(spec, "distilled.per_class", 0);
}

/**
 * Makes steps, blocks and passes agree: a draft gives as many of them as it likes.
 *
 * @throws StillhouseError INVALID for steps that are not blocks times passes
 */
export function fillInPasses(spec: ExperimentSpec, draft: ExperimentSpec): void {
  const blocks = spec.distilled?.blocks ?? 1;
  const { steps } = draft.inner ?? {};
  if (draft.inner?.passes === undefined && steps !== undefined) {
    writeField(spec, "inner.passes", Math.max(1, Math.floor(steps / blocks)));
  }
  const passes = spec.inner?.passes ?? 1;
  if (steps !== undefined && steps !== blocks * passes) {
    throw invalid(
      "inner.steps",
      `${named("inner.steps")} must be a multiple of --blocks, or --blocks · --passes where that ` +
        `is given, got ${steps} with --blocks ${blocks} --passes ${passes}`,
    );
  }
  writeField(spec, "inner.steps", blocks * passes);
}

/** Fields that follow from others that say the same. */
export function followingFields({ distilled }: ExperimentSpec): string[] {
  return [
    distilled?.samples ? "distilled.per_class" : "distilled.samples",
    (distilled?.blocks ?? 1) > 1 ? "inner.steps" : "inner.passes",
  ];
}

/**
 * Checks that samples, their classes, their labels and the steps on them fit together.
 *
 * @throws StillhouseError INVALID that names the first field at fault.
 */
export function checkSamples(spec: ExperimentSpec, numClasses: number): void {
  const { samples = 0, sampleClasses = "", labels, labelInit } = spec.distilled ?? {};
  const classes = sampleClasses === "" ? [] : sampleClasses.split(",").map(Number);
  if (classes.length > 0) checkClasses(classes, samples, numClasses);
  const isHard = labels === Labels.HARD;
  if (isHard && labelInit !== LabelInit.ONE_HOT) {
    throw invalid(
      "distilled.label_init",
      `${named("distilled.label_init")} needs --sl restricted or unrestricted: hard labels are ` +
        "one-hot",
    );
  }
  const numLabelled = classes.length > 0 ? new Set(classes).size : samples;
  if (isHard && samples > 0 && numLabelled < numClasses) {
    const path = classes.length > 0 ? "distilled.sample_classes" : "distilled.samples";
    throw invalid(
      path,
      `${named(path)} must cover all ${numClasses} classes with hard labels (--sl none), got ` +
        `${readField(spec, path)}; --sl unrestricted needs fewer samples than classes`,
    );
  }
  const { steps = 0 } = spec.inner ?? {};
  const { window = 0 } = spec.outer ?? {};
  if (window > steps) {
    throw invalid(
      "outer.window",
      `${named("outer.window")} must be at most ${steps}, the number of inner steps, got ${window}`,
    );
  }
}

function checkClasses(classes: readonly number[], samples: number, numClasses: number): void {
  const path = "distilled.sample_classes";
  if (classes.length !== samples) {
    throw invalid(
      path,
      `${named(path)} must name as many classes as --samples says, ${samples}, got ` +
        `${classes.length}`,
    );
  }
  const unknown = classes.find((index) => index >= numClasses);
  if (unknown !== undefined) {
    throw invalid(
      path,
      `${named(path)} must be numbers from 0 to ${numClasses - 1}, one of the ${numClasses} ` +
        `classes each, got ${unknown}`,
    );
  }
}

function named(path: string): string {
  return `--${settingOf(path).flag} (${path})`;
}
