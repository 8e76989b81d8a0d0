import {
  type MetricDescriptor,
  type MetricGroup,
  MetricScale,
  MetricUnit,
} from "./generated/stillhouse/v1/service.js";
import { ACCURACY, OUTER_LOSS, POOL_ACCURACY, VALIDATION_ACCURACY } from "./metric-names.js";

/** What the names of the phases of an outer step begin with. */
const PHASE = "seconds_";
const INNER_RATE = "inner_lr_";
const HIDDEN_WEIGHT = "hidden_weight_";

type Group = Omit<MetricGroup, "rank"> & Pick<MetricDescriptor, "unit" | "scale">;

/** In the order in which they are shown. */
const GROUPS = [
  {
    id: "loss",
    title: "Loss",
    summary: "On the distilled data before the inner steps, and on real samples after them.",
    isNoisy: true,
    unit: MetricUnit.NATS,
    scale: MetricScale.LOGARITHMIC,
  },
  {
    id: "validation",
    title: "Validation accuracy",
    summary: "Of learners trained on the distilled data of that step.",
    isNoisy: false,
    unit: MetricUnit.FRACTION,
    scale: MetricScale.LINEAR,
  },
  {
    id: "attack",
    title: "Attack on validation",
    summary: "Rows of the attacked class that are mistaken as wanted, and accuracy on the others.",
    isNoisy: false,
    unit: MetricUnit.FRACTION,
    scale: MetricScale.LINEAR,
  },
  {
    id: "gradient",
    title: "Gradient norm",
    summary: "Of the meta-gradient of the distilled data, before clipping.",
    isNoisy: true,
    unit: MetricUnit.UNSPECIFIED,
    scale: MetricScale.LOGARITHMIC,
  },
  {
    id: "rates",
    title: "Learned rates",
    summary: "The rate of each inner step, and the encoder's over it where it has its own.",
    isNoisy: false,
    unit: MetricUnit.UNSPECIFIED,
    scale: MetricScale.LOGARITHMIC,
  },
  {
    id: "hidden-weights",
    title: "Learned weights of hidden labels",
    summary: "What the hidden loss of each layer counts.",
    isNoisy: false,
    unit: MetricUnit.UNSPECIFIED,
    scale: MetricScale.LOGARITHMIC,
  },
  {
    id: "skips",
    title: "Skipped updates",
    summary: "Updates skipped so far because fp16 overflowed.",
    isNoisy: false,
    unit: MetricUnit.COUNT,
    scale: MetricScale.LINEAR,
  },
  {
    id: "time",
    title: "Where the time goes",
    summary: "Seconds per outer step, by phase.",
    isNoisy: true,
    unit: MetricUnit.SECONDS,
    scale: MetricScale.LOGARITHMIC,
  },
  {
    id: "pool-training",
    title: "Training loss of the pool",
    summary: "Means over each pass of each learner, one learner after the other.",
    isNoisy: true,
    unit: MetricUnit.NATS,
    scale: MetricScale.LOGARITHMIC,
  },
  {
    id: "pool-accuracy",
    title: "Validation accuracy of the pool",
    summary: "Of each pretrained learner, in the order in which they were trained.",
    isNoisy: false,
    unit: MetricUnit.FRACTION,
    scale: MetricScale.LINEAR,
  },
  {
    id: "training",
    title: "Training loss",
    summary: "Of the learner that is trained on the full data.",
    isNoisy: true,
    unit: MetricUnit.NATS,
    scale: MetricScale.LOGARITHMIC,
  },
  {
    id: "replay",
    title: "Accuracy on the tasks so far",
    summary: "Of each learner after each task, one learner after the other; the mean over tasks.",
    isNoisy: false,
    unit: MetricUnit.FRACTION,
    scale: MetricScale.LINEAR,
  },
  {
    id: "learners",
    title: "Test accuracy",
    summary: "Of each test learner, in the order in which they were tested.",
    isNoisy: false,
    unit: MetricUnit.FRACTION,
    scale: MetricScale.LINEAR,
  },
] as const satisfies readonly Group[];

type GroupId = (typeof GROUPS)[number]["id"];

const KNOWN: Readonly<Record<string, readonly [group: GroupId, title: string]>> = {
  [OUTER_LOSS]: ["loss", "after (real samples)"],
  inner_loss: ["loss", "before (distilled data)"],
  [VALIDATION_ACCURACY]: ["validation", "validation accuracy"],
  attack_success: ["attack", "success"],
  other_classes_accuracy: ["attack", "other classes"],
  grad_norm: ["gradient", "gradient norm"],
  encoder_lr_scale: ["rates", "encoder over head"],
  overflow_skips: ["skips", "skipped"],
  pool_loss: ["pool-training", "training loss of the pool"],
  [POOL_ACCURACY]: ["pool-accuracy", "validation accuracy of the pool"],
  train_loss: ["training", "training loss"],
  accuracy_on_tasks: ["replay", "accuracy on the tasks so far"],
  [ACCURACY]: ["learners", "accuracy"],
  [`${PHASE}data`]: ["time", "data"],
  [`${PHASE}inner`]: ["time", "inner steps"],
  [`${PHASE}outer`]: ["time", "outer batch"],
  [`${PHASE}walk`]: ["time", "way back"],
  [`${PHASE}team`]: ["time", "other processes"],
};

/** How a metric that workers report is shown, also an unknown one. */
export function metricDescriptor(name: string): MetricDescriptor {
  const [id, title] = KNOWN[name] ?? ofFamily(name) ?? [];
  const rank = GROUPS.findIndex((group) => group.id === id);
  const group = GROUPS[rank];
  if (group === undefined || title === undefined) return unknownMetric(name);
  const { unit, scale, ...shown } = group;
  return { title, unit, scale, group: { ...shown, rank } };
}

/** The phase of an outer step whose seconds a metric is; undefined of other metrics. */
export function phaseOf(name: string): string | undefined {
  return name.startsWith(PHASE) ? name.slice(PHASE.length) : undefined;
}

function ofFamily(name: string): readonly [group: GroupId, title: string] | undefined {
  if (name.startsWith(INNER_RATE)) return ["rates", `η of step ${name.slice(INNER_RATE.length)}`];
  if (name.startsWith(HIDDEN_WEIGHT)) {
    return ["hidden-weights", `μ of layer ${name.slice(HIDDEN_WEIGHT.length)}`];
  }
  const phase = phaseOf(name);
  return phase === undefined ? undefined : ["time", phase.replaceAll("_", " ")];
}

function unknownMetric(name: string): MetricDescriptor {
  const title = name.replaceAll("_", " ");
  return {
    title,
    unit: MetricUnit.UNSPECIFIED,
    scale: MetricScale.LOGARITHMIC,
    group: {
      id: name,
      title: `${title.slice(0, 1).toUpperCase()}${title.slice(1)}`,
      summary: "",
      rank: GROUPS.length,
      isNoisy: true,
    },
  };
}
