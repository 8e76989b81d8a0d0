import { BASELINE_PATHS } from "../../settings/baseline-fields.js";
import { PRESETS } from "../../settings/preset-names.js";
import { changesText } from "../experiment/spec-command.js";
import type { ReproducedRow, ReproducedTable } from "./study-table.js";

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
];

/** Where the figures of a work are from, and for each row what differs from its run. */
export function publishedLines({ published, rows }: ReproducedTable): string[] {
  if (published === undefined) return [];
  const preset = PRESETS[published.presets.full];
  const chosen = rows.flatMap(({ chosenPaths }) => chosenPaths);
  const textOf = ({ spec }: ReproducedRow) =>
    spec === undefined ? "" : changesText({ ...spec, preset }, [...OWN_CHOICES, ...chosen]);
  const differing = new Map<string, string[]>();
  for (const row of rows) {
    const text = textOf(row);
    if (text !== "") differing.set(text, [...(differing.get(text) ?? []), row.name]);
  }
  const values = [...differing].map(
    ([text, names]) => `Unlike the published run (in brackets), ${names.join("; ")}: ${text}.`,
  );
  return [
    `Published figures: ${published.source}. ${published.differs}`,
    ...(values.length > 0 ? values : ["Every setting has its published value."]),
  ];
}
