import type { ExperimentSpec, Preset } from "../../generated/stillhouse/v1/spec.js";
import { BASELINE_PATHS } from "../../settings/baseline-fields.js";
import { readField } from "../../settings/field-path.js";
import { fieldText } from "../../settings/field-text.js";
import { PRESETS, subjectOfPreset } from "../../settings/preset-names.js";
import { settingOf } from "../../settings/settings.js";
import type { Published, StudyRow } from "../../study/tables.js";
import { changesText } from "../experiment/spec-command.js";
import type { ReproducedTable } from "./study-table.js";

/** What says nothing about a run beside a published one. */
const OWN_CHOICES = [
  ...BASELINE_PATHS,
  "seed",
  "outer.validations",
  "outer.activation_mib",
  "outer.trajectory_mib",
  "outer.host_trajectory_mib",
  "compute.memory_mib",
  "evaluation.baseline_inits",
  "baseline.full_inits",
  "baseline.full_epochs",
];

/** Where the figures of a work are from, and for each row what differs from its run. */
export function publishedLines({ published, rows }: ReproducedTable): string[] {
  if (published === undefined) return [];
  const differing = new Map<string, string[]>();
  for (const { name, row, spec } of rows) {
    const text = spec === undefined ? "" : differencesOf(spec, row, published);
    if (text !== "") differing.set(text, [...(differing.get(text) ?? []), name]);
  }
  const values = [...differing].map(
    ([text, names]) => `Unlike the published run (in brackets), ${names.join("; ")}: ${text}.`,
  );
  return [
    `Published figures: ${published.source}. ${published.differs}`,
    ...(values.length > 0 ? values : ["Every setting has its published value."]),
  ];
}

/** What a resolved row has otherwise than its work, such as "lr 0.1 (0.01)". */
function differencesOf(
  spec: ExperimentSpec,
  { settings, usual = new Map() }: StudyRow,
  { presets }: Published,
): string {
  const preset = PRESETS[presets.full];
  const own = [...settings.keys(), ...usual.keys()];
  return [
    ...subjectTexts(spec, preset, own),
    ...[...usual].flatMap(([path, value]) =>
      readField(spec, path) === value
        ? []
        : [`${settingOf(path).flag} ${fieldText(spec, path)} (${value})`],
    ),
    changesText({ ...spec, preset }, [...OWN_CHOICES, ...own]),
  ]
    .filter((text) => text !== "")
    .join(", ");
}

/** Another data set or network than the preset is for. */
function subjectTexts(
  { dataset, model }: ExperimentSpec,
  preset: Preset,
  own: readonly string[],
): string[] {
  const published = subjectOfPreset(preset);
  const found = { dataset: dataset?.name, model: model?.name };
  return (["dataset", "model"] as const).flatMap((group) =>
    published === undefined || own.includes(`${group}.name`) || found[group] === published[group]
      ? []
      : [`${group} ${found[group]} (${published[group]})`],
  );
}
