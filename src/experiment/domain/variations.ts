import { OF_SAMPLES } from "../../baselines.js";
import {
  Optimiser,
  SampleSource,
  sampleSourceFromJSON,
  Variation,
} from "../../generated/stillhouse/v1/experiment.js";
import {
  AttentionLabels,
  type ExperimentSpec,
  HeadInit,
  HiddenLabels,
  Labels,
  RobustnessCheck,
  type RobustnessSpec,
  type TransferModel,
} from "../../generated/stillhouse/v1/spec.js";
import { HARD_LABELS, ownLabelsName } from "../../results/relative-scores.js";

/**
 * The evaluations, beside the plain one, that measure the robustness of distilled data.
 *
 * Variations that cannot differ from the plain evaluation are left out, such as training without
 * attention labels where there are none.
 *
 * @param spec resolved, with `robustness`
 */
export function variationsOf(spec: ExperimentSpec): Variation[] {
  const { robustness } = spec;
  if (robustness === undefined) return [];
  const variations = robustness.checks.flatMap((check) => ofCheck(check, spec, robustness));
  return [
    ...variations,
    ...robustness.transferTo.map((model, at) => ofTransfer(model, at, spec)),
  ].map((variation) => Variation.fromPartial(variation));
}

type Varied = Partial<Variation> & Pick<Variation, "name">;

function ofCheck(
  check: RobustnessCheck,
  spec: ExperimentSpec,
  { steps, numSamples }: RobustnessSpec,
): Varied[] {
  switch (check) {
    case RobustnessCheck.LABELS:
      return ofLabels(spec);
    case RobustnessCheck.STEPS:
      return steps
        .filter((count) => count !== spec.inner?.steps)
        .map((count) => ({ name: `steps-${count}`, steps: count }));
    case RobustnessCheck.OPTIMISER:
      // Its rates are on another scale than those of SGD.
      return [{ name: "adam", optimiser: Optimiser.ADAM, searchesLr: true }];
    case RobustnessCheck.ORDER:
      return ofOrder(numSamples);
    case RobustnessCheck.HEAD_INIT:
      return [ofHeadInit(spec)];
    case RobustnessCheck.ATTENTION:
      return hasAttentionLabels(spec)
        ? [{ name: "without-attention-labels", withoutAttentionLabels: true }]
        : [];
    case RobustnessCheck.HIDDEN:
      return hasHiddenLabels(spec)
        ? [{ name: "without-hidden-labels", withoutHiddenLabels: true }]
        : [];
    case RobustnessCheck.DECODING:
      return [
        { name: "decoded", samples: SampleSource.DECODED },
        {
          name: "decoded-hard-labels",
          samples: SampleSource.DECODED,
          ...hardLabels(spec),
        },
      ];
    default:
      return [];
  }
}

/** The samples without the labels' help, and the labels without the samples'. */
function ofLabels(spec: ExperimentSpec): Varied[] {
  const hard = { name: HARD_LABELS, ...hardLabels(spec) };
  const hasOthers = hasAttentionLabels(spec) || hasHiddenLabels(spec);
  const isHard = spec.distilled?.labels === Labels.HARD && !hasOthers;
  if (isHard) return [hard];
  return [
    hard,
    ...OF_SAMPLES.filter(({ field }) => spec.baseline?.[field]).map(({ id, samples }) => ({
      name: ownLabelsName(id),
      samples: sampleSourceFromJSON(samples),
      searchesLr: true,
    })),
  ];
}

function ofOrder(numSamples: number): Varied[] {
  const half = Math.ceil(numSamples / 2);
  return [
    { name: "one-by-one", batchSize: 1 },
    { name: "one-by-one-shuffled", batchSize: 1, shuffled: true },
    ...(half === 1 ? [] : [{ name: "half-batches-shuffled", batchSize: half, shuffled: true }]),
  ];
}

function ofHeadInit({ model }: ExperimentSpec): Varied {
  return model?.headInit === HeadInit.NORMAL
    ? { name: "head-init-default", headInit: HeadInit.DEFAULT }
    : { name: "head-init-normal", headInit: HeadInit.NORMAL };
}

/**
 * Attention labels are a row for each layer and head, so another shape has to do without; hidden
 * labels are states of one encoder.
 */
function ofTransfer(model: TransferModel, at: number, spec: ExperimentSpec): Varied {
  const { numLayers, numHeads } = spec.robustness ?? {};
  const fits = model.numLayers === numLayers && model.numHeads === numHeads;
  return {
    name: `transfer-${at + 1}`,
    transferTo: model,
    withoutAttentionLabels: !fits && hasAttentionLabels(spec),
    withoutHiddenLabels: hasHiddenLabels(spec),
  };
}

/** The rate depends on the labels, so it is chosen again. */
function hardLabels(spec: ExperimentSpec) {
  return {
    hardLabels: true,
    withoutAttentionLabels: hasAttentionLabels(spec),
    withoutHiddenLabels: hasHiddenLabels(spec),
    searchesLr: true,
  };
}

function hasAttentionLabels({ distilled }: ExperimentSpec): boolean {
  return distilled?.attentionLabels !== AttentionLabels.NONE;
}

/** Specs from before there were any say nothing of them. */
function hasHiddenLabels({ distilled }: ExperimentSpec): boolean {
  return distilled?.hiddenLabels === HiddenLabels.CLS;
}
