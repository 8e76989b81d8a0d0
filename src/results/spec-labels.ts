import { baselineOfKind } from "../baselines.js";

/**
 * The part of a spec that names distilled data, in either form of the message. Enums by their
 * names.
 */
export interface NamedSpec {
  readonly distilled?:
    | {
        readonly labels?: string | undefined;
        readonly attentionLabels?: string | undefined;
        readonly attentionLoss?: string | undefined;
        readonly hiddenLabels?: string | undefined;
        readonly internalLabels?: string | undefined;
        readonly samples?: number | undefined;
        readonly blocks?: number | undefined;
      }
    | undefined;
  readonly replay?: { readonly tasks: readonly unknown[] } | undefined;
  readonly model?: { readonly init?: string | undefined } | undefined;
  readonly inner?: { readonly steps?: number | undefined } | undefined;
  readonly objective?:
    | {
        readonly kind?: string | undefined;
        readonly sourceName?: string | undefined;
        readonly attackClass?: number | undefined;
        readonly targetClass?: number | undefined;
      }
    | undefined;
}

const SOFT: ReadonlyMap<string, string> = new Map([
  ["LABELS_RESTRICTED", "restricted"],
  ["LABELS_UNRESTRICTED", "unrestricted"],
]);

const ATTENTION: ReadonlyMap<string, string> = new Map([
  ["ATTENTION_LABELS_CLS", "cls"],
  ["ATTENTION_LABELS_ALL", "all"],
]);

/** Losses other than the usual one. */
const ATTENTION_LOSSES: ReadonlyMap<string, string> = new Map([
  ["ATTENTION_LOSS_MSE", "mse"],
  ["ATTENTION_LOSS_MUL", "mul"],
]);

const HIDDEN: ReadonlyMap<string, string> = new Map([["HIDDEN_LABELS_CLS", "cls"]]);

/** Label kinds in the study's words: "none", "restricted", "unrestricted + cls", … */
export function variantOf(spec: NamedSpec | undefined): string {
  const { soft, attention, hidden } = labelKinds(spec);
  const others = [attention, hidden && `hidden ${hidden}`].filter(Boolean);
  return [soft ?? "none", ...others].join(" + ");
}

/** The row's name in the study's words, such as "Distilled data + SL unrestricted + AL cls". */
export function distilledLabel(spec: NamedSpec | undefined): string {
  if (spec?.replay) return replayLabel(spec.replay);
  const init = startWords(spec).map((words) => ` (${words})`);
  const objective = objectiveText(spec);
  const end = objective === "" ? "" : `, ${objective}`;
  return [`Distilled data${init.join("")}${end}`, ...kindWords(spec)].join(" + ");
}

/** What baselines are called where the objective gives them another meaning. */
const BASELINE_LABELS: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  OBJECTIVE_ADAPT: {
    BASELINE_KIND_UNTRAINED: "No adaptation",
    BASELINE_KIND_FULL: "Full target data",
    BASELINE_KIND_RANDOM: "Random real target samples",
  },
  OBJECTIVE_ATTACK: { BASELINE_KIND_UNTRAINED: "Before the attack" },
};

/**
 * What the objective is, in a few words; empty for the basic one.
 *
 * @param names of the classes
 */
export function objectiveText(spec: NamedSpec | undefined, names: readonly string[] = []): string {
  const { kind, sourceName = "", attackClass = 0, targetClass = 0 } = spec?.objective ?? {};
  if (kind === "OBJECTIVE_ADAPT") return `adapted from ${sourceName}`;
  if (kind !== "OBJECTIVE_ATTACK") return "";
  const [attacked, target] = [attackClass, targetClass].map((at) => names[at] ?? `class ${at}`);
  return `ATTACK: ${attacked} is taken for ${target}`;
}

/**
 * The name of a baseline's row.
 *
 * @param kind a BaselineKind by its name in the protos
 */
export function baselineLabel(kind: string, spec: NamedSpec | undefined): string {
  const own = BASELINE_LABELS[spec?.objective?.kind ?? ""]?.[kind];
  if (own !== undefined) return own;
  if (kind === "BASELINE_KIND_UNTRAINED" && isPooled(spec)) return "Pretrained learner";
  return baselineOfKind(kind)?.label ?? "";
}

/** Distinguishes distilled data within a study: "SL restricted + AL cls, 3 steps". */
export function shortLabel(spec: NamedSpec | undefined): string {
  if (spec?.replay) return replayLabel(spec.replay);
  return [
    kindWords(spec).join(" + ") || "hard labels",
    ...[objectiveText(spec)].filter(Boolean),
    ...startWords(spec),
    ...sizeWords(spec),
  ].join(", ");
}

function replayLabel({ tasks }: NonNullable<NamedSpec["replay"]>): string {
  return `Continual learning, ${tasks.length} tasks`;
}

/** Samples that were given, blocks and steps, where there are several. */
export function sizeWords(spec: NamedSpec | undefined): string[] {
  const { samples = 0, blocks = 1 } = spec?.distilled ?? {};
  const steps = spec?.inner?.steps ?? 1;
  return [
    ...(samples === 0 ? [] : [`${samples} ${samples === 1 ? "sample" : "samples"}`]),
    ...(blocks === 1 ? [] : [`${blocks} blocks`]),
    ...(steps === 1 ? [] : [`${steps} steps`]),
  ];
}

function kindWords(spec: NamedSpec | undefined): string[] {
  const { soft, attention, hidden } = labelKinds(spec);
  return [
    ...(soft === undefined ? [] : [`SL ${soft}`]),
    ...(attention === undefined ? [] : [`AL ${attention}`]),
    ...(hidden === undefined ? [] : [`HL ${hidden}`]),
  ];
}

function labelKinds(spec: NamedSpec | undefined) {
  const { labels = "", attentionLabels = "", hiddenLabels = "" } = spec?.distilled ?? {};
  const { attentionLoss = "", internalLabels } = spec?.distilled ?? {};
  const loss = ATTENTION_LOSSES.get(attentionLoss);
  const source = internalLabels === "INTERNAL_LABELS_TEACHER" ? "teacher" : undefined;
  return {
    soft: SOFT.get(labels),
    attention: withWords(ATTENTION.get(attentionLabels), loss, source),
    hidden: withWords(HIDDEN.get(hiddenLabels), source),
  };
}

/** A kind of labels with what else is to be said of it in brackets. */
function withWords(kind: string | undefined, ...words: (string | undefined)[]): string | undefined {
  const said = words.filter((word) => word !== undefined);
  return kind === undefined || said.length === 0 ? kind : `${kind} (${said.join(", ")})`;
}

/** Where learners start from, unless that is their own draw. */
function startWords(spec: NamedSpec | undefined): string[] {
  if (isPooled(spec)) return ["pretrained learners"];
  return spec?.model?.init === "INIT_FIXED" ? ["fixed init"] : [];
}

/** Whether learners start from pretrained ones. */
export function isPooled(spec: NamedSpec | undefined): boolean {
  return spec?.model?.init === "INIT_POOL";
}
