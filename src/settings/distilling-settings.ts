import {
  AttentionInit,
  AttentionLabels,
  AttentionLoss,
  AttentionReduction,
  Augmentation,
  FloatType,
  HeadInit,
  Init,
  LabelInit,
  Labels,
  LearnLr,
  LrParametrisation,
  LrSchedule,
  OuterOptimiser,
  XInit,
} from "../generated/stillhouse/v1/spec.js";
import { HIDDEN_SETTINGS, INTERNAL_LABELS_SETTING } from "./hidden-settings.js";
import type { Group, Setting } from "./setting.js";
import {
  COUNT,
  COUNT_OR_NONE,
  FACTOR,
  INNER_STEPS,
  OUTER_STEPS,
  POSITIVE,
  RATE,
  RATE_OR_NONE,
  SHARE,
  WEIGHT,
} from "./setting-ranges.js";
import { choice, number, text, toggle } from "./setting-rows.js";

/** Numbers with commas between them. */
const INDICES = /^\d{1,6}(,\d{1,6})*$/;
const INDEX_WORDS = "numbers with commas between them";

type DistillingGroup = Extract<
  Group,
  | "Distilled data"
  | "Inner steps (how a learner is trained on the distilled data)"
  | "Outer steps (how the distilled data is trained)"
>;

/** The settings of the distilled data and of how it is distilled. */
export const DISTILLING_SETTINGS: Readonly<Record<DistillingGroup, readonly Setting[]>> = {
  "Distilled data": [
    choice(
      "sl",
      "distilled.labels",
      {
        none: Labels.HARD,
        restricted: Labels.RESTRICTED,
        unrestricted: Labels.UNRESTRICTED,
      },
      "Soft labels: none (fixed one-hot labels), learned probabilities, learned real numbers",
    ),
    choice(
      "al",
      "distilled.attention_labels",
      {
        none: AttentionLabels.NONE,
        cls: AttentionLabels.CLS,
        all: AttentionLabels.ALL,
      },
      "Attention labels: none, of the first token, of all tokens",
    ),
    number("lambda", "distilled.attention_lambda", WEIGHT, [
      "Weight of the attention loss (default: 1 with --al-reduction keys, else 100)",
    ]),
    choice(
      "al-reduction",
      "distilled.attention_reduction",
      {
        elementwise: AttentionReduction.ELEMENTWISE,
        keys: AttentionReduction.KEYS,
      },
      "Attention loss: mean over every element, or sum over keys and mean over the rest",
    ),
    choice(
      "al-loss",
      "distilled.attention_loss",
      { kl: AttentionLoss.KL, mse: AttentionLoss.MSE, mul: AttentionLoss.MUL },
      [
        "Attention loss of a query: KL divergence, half the squared error, or minus the logarithm of",
        "the product with the labels",
      ],
    ),
    choice(
      "attention-init",
      "distilled.attention_init",
      { noise: AttentionInit.NOISE, samples: AttentionInit.SAMPLES },
      "Attention labels start as N(0,1), or as the attention on the distilled samples at their start",
    ),
    ...HIDDEN_SETTINGS,
    INTERNAL_LABELS_SETTING,
    number("per-class", "distilled.per_class", COUNT, "Distilled samples per class (and block)"),
    number("samples", "distilled.samples", COUNT_OR_NONE, [
      "Distilled samples (per block), whatever their classes; excludes --per-class",
    ]),
    text("sample-classes", "distilled.sample_classes", INDICES, INDEX_WORDS, "list", [
      "Class of each of --samples at its start: numbers from 0, with commas between them",
      "(default: as many of each class, and the rest drawn)",
    ]),
    number("blocks", "distilled.blocks", COUNT, [
      "B: blocks with samples of their own; each inner step trains on one, in turn",
    ]),
    choice(
      "label-init",
      "distilled.label_init",
      {
        "one-hot": LabelInit.ONE_HOT,
        smoothed: LabelInit.SMOOTHED,
        noise: LabelInit.NOISE,
        "class-distance": LabelInit.CLASS_DISTANCE,
      },
      "Soft labels start one-hot, smoothed, as N(0,1), or by the distances between classes",
    ),
    number("seq-len", "distilled.seq_len", COUNT, "S: vectors per distilled sample"),
    choice(
      "x-init",
      "distilled.x_init",
      { noise: XInit.NOISE, real: XInit.REAL, "class-means": XInit.CLASS_MEANS },
      [
        "Distilled samples start as N(0,1), as embedded real texts of their class, or as samples that",
        "a pretrained encoder takes for the mean of their class",
      ],
    ),
    choice(
      "artifact-dtype",
      "distilled.artifact_dtype",
      { fp32: FloatType.FP32, fp16: FloatType.FP16 },
      "Float type of the stored attention labels",
    ),
  ],
  "Inner steps (how a learner is trained on the distilled data)": [
    number("steps", "inner.steps", INNER_STEPS, "T: gradient steps, a multiple of --blocks"),
    number("passes", "inner.passes", INNER_STEPS, [
      "Passes over the blocks: steps = blocks · passes (default: as --steps says)",
    ]),
    number("inner-lr", "inner.lr", RATE_OR_NONE, [
      "η: rate of the first step; with 0 the best of a few on train at the start, where it is learned",
    ]),
    number("encoder-lr-scale", "inner.encoder_lr_scale", RATE_OR_NONE, [
      "Rate of the encoder over η, then the head's, at the start; learned where η is (0: one rate)",
    ]),
    number("inner-lr-decay", "inner.lr_decay", RATE, "γ: step t has the rate η·γ^(t-1)"),
    choice(
      "learn-lr",
      "inner.learn_lr",
      {
        none: LearnLr.NONE,
        shared: LearnLr.SHARED,
        "per-step": LearnLr.PER_STEP,
      },
      "Learn η and γ with the distilled data (shared), or a rate for each step",
    ),
    choice(
      "lr-parametrisation",
      "inner.lr_parametrisation",
      { exp: LrParametrisation.EXP, softplus: LrParametrisation.SOFTPLUS },
      "How a learned rate follows from a free parameter",
    ),
    number("inner-dropout", "inner.dropout", SHARE, [
      "Dropout in inner steps, of test learners too; the masks follow from the seed (0: none)",
    ]),
    choice(
      "inner-precision",
      "inner.precision",
      { fp32: FloatType.FP32, bf16: FloatType.BF16 },
      "Type of products in the backward pass of inner steps while distilling (default: by the preset)",
    ),
    choice("init", "model.init", { random: Init.RANDOM, fixed: Init.FIXED, pool: Init.POOL }, [
      "Head of a learner, or all of a network: drawn anew each time, or always the same; or all",
      "weights of a pretrained learner, of a pool while distilling and of others in tests",
    ]),
    number("pool", "pool.size", COUNT_OR_NONE, "--init pool: learners that outer steps draw from"),
    number("pool-epochs", "pool.epochs", COUNT_OR_NONE, "--init pool: passes of each over train"),
    number("pool-batch-size", "pool.batch_size", COUNT_OR_NONE, [
      "--init pool: real samples per step of their training",
    ]),
    number("pool-lr", "pool.lr", RATE_OR_NONE, "--init pool: Adam's rate at the start"),
    number("pool-lr-halving-epochs", "pool.lr_halving_epochs", COUNT_OR_NONE, [
      "--init pool: passes after which the rate is halved, again and again (0: never)",
    ]),
    choice("head-init", "model.head_init", { default: HeadInit.DEFAULT, normal: HeadInit.NORMAL }, [
      "Initialisation of the head: PyTorch's default of nn.Linear, or N(0, 0.02) with zero bias;",
      "of a network: Xavier's normal distribution, or N(0, 0.02)",
    ]),
  ],
  "Outer steps (how the distilled data is trained)": [
    number("epochs", "outer.epochs", POSITIVE, "Passes over train; excludes --outer-steps"),
    number("outer-steps", "outer.steps", OUTER_STEPS, "Outer steps; excludes --epochs"),
    choice(
      "optimiser",
      "outer.optimiser",
      { adam: OuterOptimiser.ADAM, adamw: OuterOptimiser.ADAMW, sgd: OuterOptimiser.SGD },
      "Optimiser of the distilled data",
    ),
    number("lr", "outer.lr", RATE, "α: its rate at its peak"),
    number("labels-lr", "outer.labels_lr", RATE, "The same for class labels (default: --lr)"),
    number("rates-lr", "outer.rates_lr", RATE, "The same for learned inner rates (default: --lr)"),
    number("beta1", "outer.beta1", SHARE, "adam, adamw: decay of the mean of gradients"),
    number("beta2", "outer.beta2", SHARE, "adam, adamw: decay of the mean of their squares"),
    number("weight-decay", "outer.weight_decay", WEIGHT, [
      "adamw: weight decay, per step as a share of the rate (default: 0.01)",
    ]),
    number("labels-weight-decay", "outer.labels_weight_decay", WEIGHT, [
      "The same for class labels (default: --weight-decay)",
    ]),
    number("rates-weight-decay", "outer.rates_weight_decay", WEIGHT, [
      "The same for learned inner rates (default: --weight-decay)",
    ]),
    number("momentum", "outer.momentum", SHARE, "sgd: momentum"),
    choice(
      "lr-schedule",
      "outer.lr_schedule",
      { linear: LrSchedule.LINEAR, step: LrSchedule.STEP, constant: LrSchedule.CONSTANT },
      "After the warm-up the rates fall linearly to 0, fall step by step, or stay",
    ),
    number("lr-decay", "outer.lr_decay", FACTOR, [
      "Schedule step: what the rates are multiplied by at each decay",
    ]),
    number("lr-decay-steps", "outer.lr_decay_steps", { ...OUTER_STEPS, min: 0 }, [
      "Schedule step: outer steps between two decays (default: a tenth of all)",
    ]),
    number("lr-decay-epochs", "outer.lr_decay_epochs", { min: 0 }, [
      "The same as passes over train; excludes --lr-decay-steps",
    ]),
    number("batch-size", "outer.batch_size", COUNT, "Real texts per outer step"),
    choice(
      "augment",
      "outer.augmentation",
      { none: Augmentation.NONE, "crop-flip": Augmentation.CROP_FLIP },
      "Real images each time, also of full data: as they are, or moved and flipped at random",
    ),
    number("inits-per-step", "outer.inits_per_step", COUNT, [
      "K: heads drawn per outer step, over which the gradient is averaged",
    ]),
    number("clip", "outer.clip", RATE_OR_NONE, [
      "Largest norm of the gradient of the distilled data; with 0 it is not clipped",
    ]),
    number("warmup", "outer.warmup_fraction", SHARE, "Share of the steps in which the rate rises"),
    toggle("accumulate-loss", "outer.accumulate_loss", "Sum the outer loss over all inner steps"),
    choice(
      "meta-gradient",
      "outer.meta_gradient",
      { unrolled: "unrolled", stepwise: "stepwise", blockwise: "blockwise" },
      [
        "Algorithm of the meta-gradient: unrolled, stepwise or blockwise; same gradient, other costs",
        "(default: blockwise, but stepwise for one inner step with rounded products)",
      ],
    ),
    number("window", "outer.window", { ...INNER_STEPS, min: 0 }, [
      "Inner steps that the gradient goes back through, before a step drawn each time; 0: all",
    ]),
    toggle("compile", "outer.compile", "Compile the blocks: slow to start; for blockwise alone"),
    number("trajectory-memory", "outer.trajectory_mib", COUNT, [
      "MiB on the device for copies of a learner, one per inner step; more go to the host",
    ]),
    number("host-trajectory-memory", "outer.host_trajectory_mib", COUNT_OR_NONE, [
      "MiB on the host of a GPU for such copies; what does not fit either is computed again",
    ]),
    number("activation-memory", "outer.activation_mib", COUNT_OR_NONE, [
      "MiB for what is kept of the last inner steps until the backward pass; others are run again",
    ]),
    number("validations", "outer.validations", COUNT_OR_NONE, [
      "How many times the validation accuracy is measured while distilling",
    ]),
    number("validation-inits", "outer.validation_inits", COUNT, [
      "Learners of each such measurement, each on a share of the validation rows",
    ]),
  ],
};
