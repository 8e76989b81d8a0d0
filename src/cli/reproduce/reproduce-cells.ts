import { type BaselineId, baselineOfId } from "../../baselines.js";
import type { ExperimentSpec } from "../../generated/stillhouse/v1/spec.js";
import { NO_BASELINES } from "../../settings/baseline-fields.js";
import type { FieldValue } from "../../settings/field-path.js";
import { PRESETS, type PresetName } from "../../settings/preset-names.js";
import { TABLES } from "../../study/systems.js";
import type { StudyRow, StudyTable } from "../../study/tables.js";
import { draftOf } from "../experiment/experiment-arguments.js";
import type { Member } from "../group/group-runner.js";
import type { ReproduceRun } from "./reproduce-arguments.js";
import { labelOf } from "./study-table.js";

/** An experiment of the group, and which rows of the tables are its. */
export interface Cell extends Member {
  readonly key: string;
}

type Given = Pick<ReproduceRun, "given">["given"];

/** One experiment per distinct key and seed; tables share their rows. */
export function cellsOf(
  { tables, seeds, given }: Pick<ReproduceRun, "tables" | "seeds" | "given">,
  dataDir: string | undefined,
): Cell[] {
  const groups = new Map<string, RowGroup>();
  for (const table of TABLES.filter(({ id }) => tables.includes(id))) {
    for (const row of table.rows) {
      const key = keyOf(table, row);
      const group = groups.get(key);
      groups.set(key, { table, rows: [...(group?.rows ?? []), row] });
    }
  }
  return seeds.flatMap((seed) =>
    [...groups].map(([key, group]): Cell => {
      const draft = (preset?: PresetName) =>
        draftOf(settingsOf(group, given, seed, preset), dataDir);
      const presets = given.has("preset") ? undefined : group.table.published?.presets;
      return {
        key,
        label: memberLabel(group, draft(presets?.full), seed),
        draft: draft(presets?.full),
        ...(presets === undefined ? {} : { draftWithoutCuda: draft(presets.cpu) }),
      };
    }),
  );
}

/** Rows that one experiment gives. */
interface RowGroup {
  readonly table: StudyTable;
  readonly rows: readonly StudyRow[];
}

/** The same for rows that one experiment gives. */
export function keyOf({ published }: StudyTable, { kind, settings }: StudyRow): string {
  const work = kind === "distilled" || kind === "full" ? kind : "baselines";
  return JSON.stringify([published?.presets.full ?? "", work, ...settings]);
}

/** What the rows are held against is one mean, of which the spread is known. */
const FULL_LEARNERS = 3;

function settingsOf(
  { table, rows }: RowGroup,
  given: Given,
  seed: number,
  preset: PresetName | undefined,
): Map<string, FieldValue> {
  const [row] = rows as [StudyRow];
  const chosen = preset === undefined ? given.get("preset") : PRESETS[preset];
  const cpu = table.published?.presets.cpu;
  const isOnCpu = cpu !== undefined && chosen === PRESETS[cpu];
  return new Map<string, FieldValue>([
    ...NO_BASELINES,
    ["baseline.full_inits", FULL_LEARNERS],
    ...((isOnCpu ? row.usualOnCpu : undefined) ?? row.usual ?? []),
    ...(preset === undefined ? [] : [["preset", PRESETS[preset]] as const]),
    ...given,
    ...row.settings,
    ...(row.kind === "distilled" ? [] : [["evaluation.inits", 0] as const]),
    ...rows.flatMap(({ kind }) => (kind === "distilled" ? [] : [baselineSetting(kind)])),
    ["seed", seed],
  ]);
}

/** What a row may be about instead of what the preset is for. */
const SUBJECTS = ["dataset.name", "model.name"];

/** A table's baselines are experiments of their own. */
function baselineSetting(kind: BaselineId): readonly [string, FieldValue] {
  const flag = baselineOfId(kind)?.flag ?? kind;
  return [`baseline.${flag.replaceAll("-", "_")}`, true];
}

function memberLabel({ rows: [row] }: RowGroup, draft: ExperimentSpec, seed: number): string {
  const subject = SUBJECTS.flatMap((path) => row?.settings.get(path) ?? []);
  return [labelOfKind(row?.kind, draft), ...subject, `seed ${seed}`].join(", ");
}

function labelOfKind(kind: StudyRow["kind"] | undefined, draft: ExperimentSpec): string {
  if (kind === "distilled") return labelOf(draft);
  return kind === "full" ? "Full data" : "Baselines";
}
