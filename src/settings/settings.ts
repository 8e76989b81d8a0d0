import { BASELINE_FLAGS } from "../baselines.js";
import {
  AttentionLabels,
  AttentionReduction,
  BadRows,
  FloatType,
  HeadInit,
  Init,
  LabelInit,
  Labels,
  LearnLr,
  LrParametrisation,
  LrSchedule,
  OuterOptimiser,
  Pooling,
  Preset,
  Protocol,
  XInit,
} from "../generated/stillhouse/v1/spec.js";
import type { Range } from "./range.js";
import { fieldsOf, type Group, type Setting } from "./setting.js";
import { choice, number, subset, text, toggle } from "./setting-rows.js";

// Upper bounds of counts are far above any sensible use: they catch a typing mistake before
// it fills a disk or a queue.
const COUNT: Range = { integer: true, min: 1, max: 1_000_000 };
const COUNT_OR_NONE: Range = { ...COUNT, min: 0 };
/** A result holds each learner, and an evaluation is cut into shards of ten of them. */
const LEARNERS: Range = { integer: true, min: 1, max: 10_000 };
const INNER_STEPS: Range = { integer: true, min: 1, max: 10_000 };
const OUTER_STEPS: Range = { integer: true, min: 1, max: 1_000_000_000 };
/** The shortest pair of texts: a first token, two separators and a token of each text. */
const TEXT_TOKENS: Range = { integer: true, min: 5, max: 1_000_000 };
const UINT32: Range = { integer: true, min: 0, max: 2 ** 32 - 1 };
const POSITIVE: Range = { min: 0, aboveMin: true };
/** Beyond this a step of Adam or a rate's decay leaves fp32, whatever the data. */
const RATE: Range = { min: 0, aboveMin: true, max: 1e30 };
const RATE_OR_NONE: Range = { ...RATE, aboveMin: false };
/** As for a rate. */
const WEIGHT: Range = { min: 0, max: 1e30 };
const SHARE: Range = { min: 0, max: 1, belowMax: true };
const FACTOR: Range = { min: 0, aboveMin: true, max: 1 };
const POSITIVE_SHARE: Range = { ...SHARE, aboveMin: true };

const ONE_LINE = /^[^\p{Cc}]{0,200}$/u;
const FILLED_LINE = /^(?=.*\S)[^\p{Cc}]*$/u;
/** Names with at most one comma between them. */
const COLUMNS = /^(?=.*\S)[^\p{Cc},]+(,[^\p{Cc},]+)?$/u;
/** Numbers with commas between them. */
const INDICES = /^\d{1,6}(,\d{1,6})*$/;
const INDEX_WORDS = "numbers with commas between them";
const DEVICE = /^(auto|cpu|cuda(:\d{1,3})?)$/;

/** Every setting of an experiment: the only place for its names, its range and its help. */
export const SETTINGS_BY_GROUP: Readonly<Record<Group, readonly Setting[]>> = {
  "Data and model": [
    text("dataset", "dataset.name", FILLED_LINE, "a name", "name", [
      "A path of a folder or a file, or a name in --data-dir, on the Hugging Face hub or of a",
      "packaged set (default: ag_news; the packaged set if that is not available)",
    ]),
    text("data-dir", "dataset.data_dir", FILLED_LINE, "a folder", "folder", [
      "Folder that holds data set folders (default: STILLHOUSE_DATA_DIR, if set)",
    ]),
    {
      ...text("text-column", "dataset.text_column", COLUMNS, "a column or two", "column", [
        "Column of the texts; twice, or with a comma, for pairs (default: as dataset.json says, or",
        "as recognised)",
      ]),
      repeats: true,
    },
    text("label-column", "dataset.label_column", FILLED_LINE, "a column", "column", [
      "Column of the labels (default: the same)",
    ]),
    choice("on-bad-rows", "dataset.bad_rows", { skip: BadRows.SKIP, refuse: BadRows.REFUSE }, [
      "Rows without a label or a text: leave them out, or stop before the experiment begins",
      "(default: skip on the hub, refuse elsewhere)",
    ]),
    text("model", "model.name", FILLED_LINE, "a name or a folder", "name", [
      "A name on the hub, minilm (packaged), or a folder in the hub's format",
      "(default: distilbert-base-uncased; minilm if that is not available)",
    ]),
    choice("pooling", "model.pooling", { first: Pooling.FIRST, mean: Pooling.MEAN }, [
      "What a head is given: the vector of the first token, or the mean over those of all tokens",
      "(default: as the encoder was trained, where its folder says so, else first; study: first)",
    ]),
    number("max-length", "dataset.max_length", TEXT_TOKENS, "Tokens that a real text is cut to"),
    number("validation-fraction", "dataset.validation_fraction", POSITIVE_SHARE, [
      "Share of train that is held out as validation where the set has no validation split",
    ]),
    number("test-fraction", "dataset.test_fraction", POSITIVE_SHARE, [
      "Share of train that is held out as test where the set has no test split, as a file has none",
    ]),
  ],
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
      { noise: XInit.NOISE, real: XInit.REAL },
      "Distilled samples start as N(0,1), or as embedded real texts of their class",
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
    number("inner-lr", "inner.lr", RATE, "η: rate of the first step"),
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
    choice(
      "inner-precision",
      "inner.precision",
      { fp32: FloatType.FP32, bf16: FloatType.BF16 },
      "Type of products in the backward pass of inner steps while distilling (default: by the preset)",
    ),
    choice(
      "init",
      "model.init",
      { random: Init.RANDOM, fixed: Init.FIXED },
      "Head of a learner: drawn anew each time, or always the same one",
    ),
    choice(
      "head-init",
      "model.head_init",
      { default: HeadInit.DEFAULT, normal: HeadInit.NORMAL },
      "Initialisation of the head: PyTorch's default of nn.Linear, or N(0, 0.02) with zero bias",
    ),
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
      "MiB for what blockwise keeps of the last inner steps; the others are run again",
    ]),
    number("validations", "outer.validations", COUNT_OR_NONE, [
      "How many times the validation accuracy is measured while distilling",
    ]),
    number("validation-inits", "outer.validation_inits", COUNT, [
      "Learners of each such measurement, each on a share of the validation rows",
    ]),
  ],
  "Evaluation and baselines": [
    choice(
      "protocol",
      "evaluation.protocol",
      { validation: Protocol.VALIDATION, paper: Protocol.PAPER },
      "Keep the step with the best validation accuracy, or the last one as the study does",
    ),
    number("inits", "evaluation.inits", { ...LEARNERS, min: 0 }, [
      "Test learners of the distilled data; with 0 the baselines run alone, or, with",
      "--baselines none, the distillation",
    ]),
    subset("baselines", "baseline", BASELINE_FLAGS, [
      "Which baselines run: all, none, or some, with commas between them, of",
      BASELINE_FLAGS.join(", "),
    ]),
    number("baseline-inits", "evaluation.baseline_inits", LEARNERS, [
      "Test learners of all baselines but full",
    ]),
    number("full-inits", "baseline.full_inits", LEARNERS, "Full data: learners"),
    number("full-epochs", "baseline.full_epochs", COUNT, "Full data: passes over train"),
    number("full-batch-size", "baseline.full_batch_size", COUNT, "Full data: texts per step"),
    number("full-lr", "baseline.full_lr", RATE_OR_NONE, [
      "Full data: Adam's rate at its peak; with 0 it is the best of a few on validation",
    ]),
    number("full-dropout", "baseline.full_dropout", SHARE, "Full data: dropout"),
  ],
  Run: [
    choice("preset", "preset", { study: Preset.STUDY, cpu: Preset.CPU }, [
      "Values of all settings that are not given (default: study with CUDA, else cpu)",
    ]),
    text("device", "compute.device", DEVICE, "auto, cpu, cuda or cuda:N", "device", [
      "auto, cpu, cuda or cuda:N (default: auto)",
    ]),
    number("num-devices", "compute.num_devices", COUNT, [
      "Processes that share each outer step: CUDA devices from --device on, or parts of the CPU",
    ]),
    number("memory", "compute.memory_mib", COUNT_OR_NONE, [
      "MiB of device memory per task; a device gets no more tasks than fit, and 0 fits",
      "anywhere (default: 0 on a CPU; on CUDA an estimate from the sizes of model and batches)",
    ]),
    choice(
      "precision",
      "compute.precision",
      {
        fp32: FloatType.FP32,
        bf16: FloatType.BF16,
        fp16: FloatType.FP16,
      },
      "Autocast type for real texts; updates are fp32 (default: by the device)",
    ),
    number("seed", "seed", UINT32, "Seed of everything random but the validation split"),
    text("name", "name", ONE_LINE, "one line of at most 200 characters", "text", [
      "Free text that names the experiment in lists",
    ]),
  ],
};

export const SETTINGS: readonly Setting[] = Object.values(SETTINGS_BY_GROUP).flat();

const BY_FLAG = new Map(SETTINGS.map((setting) => [setting.flag, setting]));

/** The setting behind a flag or a config key (`inner-lr`; `inner_lr` means the same). */
export function findSetting(key: string): Setting | undefined {
  return BY_FLAG.get(key.replaceAll("_", "-"));
}

/** The setting of a field. */
export function settingOf(path: string): Setting {
  const setting = SETTINGS.find((candidate) => fieldsOf(candidate).includes(path));
  if (setting === undefined) throw new Error(`no setting has the field ${path}`);
  return setting;
}
