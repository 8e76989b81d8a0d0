/**
 * The part of a spec that names distilled data, in either form of the message. Enums by their
 * names.
 */
export interface NamedSpec {
  readonly distilled?:
    | {
        readonly labels?: string | undefined;
        readonly attentionLabels?: string | undefined;
        readonly samples?: number | undefined;
        readonly blocks?: number | undefined;
      }
    | undefined;
  readonly model?: { readonly init?: string | undefined } | undefined;
  readonly inner?: { readonly steps?: number | undefined } | undefined;
}

const SOFT: ReadonlyMap<string, string> = new Map([
  ["LABELS_RESTRICTED", "restricted"],
  ["LABELS_UNRESTRICTED", "unrestricted"],
]);

const ATTENTION: ReadonlyMap<string, string> = new Map([
  ["ATTENTION_LABELS_CLS", "cls"],
  ["ATTENTION_LABELS_ALL", "all"],
]);

/** Label kinds in the study's words: "none", "restricted", "unrestricted + cls", … */
export function variantOf(spec: NamedSpec | undefined): string {
  const { soft, attention } = labelKinds(spec);
  return attention === undefined ? (soft ?? "none") : `${soft ?? "none"} + ${attention}`;
}

/** The row's name in the study's words, such as "Distilled data + SL unrestricted + AL cls". */
export function distilledLabel(spec: NamedSpec | undefined): string {
  const init = isFixed(spec) ? " (fixed init)" : "";
  return [`Distilled data${init}`, ...kindWords(spec)].join(" + ");
}

/** Distinguishes distilled data within a study: "SL restricted + AL cls, 3 steps". */
export function shortLabel(spec: NamedSpec | undefined): string {
  return [
    kindWords(spec).join(" + ") || "hard labels",
    ...(isFixed(spec) ? ["fixed init"] : []),
    ...sizeWords(spec),
  ].join(", ");
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
  const { soft, attention } = labelKinds(spec);
  return [
    ...(soft === undefined ? [] : [`SL ${soft}`]),
    ...(attention === undefined ? [] : [`AL ${attention}`]),
  ];
}

function labelKinds(spec: NamedSpec | undefined) {
  const { labels = "", attentionLabels = "" } = spec?.distilled ?? {};
  return { soft: SOFT.get(labels), attention: ATTENTION.get(attentionLabels) };
}

function isFixed(spec: NamedSpec | undefined): boolean {
  return spec?.model?.init === "INIT_FIXED";
}
