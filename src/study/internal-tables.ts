import {
  AttentionLabels,
  AttentionLoss,
  HiddenLabels,
  InternalLabels,
  Labels,
} from "../generated/stillhouse/v1/spec.js";
import type { FieldValue } from "../settings/field-path.js";
import { distilled, STUDY_TABLES, type StudyRow, type StudyTable } from "./tables.js";

const { HARD: hard, UNRESTRICTED: free } = Labels;
const { NONE: none, CLS: cls } = AttentionLabels;
const LABELS = [hard, free];
const STEPS = [1, 3];

/** Labels of the inside of a learner trained on all of train, which stay as they are. */
const TEACHER = { "distilled.internal_labels": InternalLabels.TEACHER };
const HIDDEN = { "distilled.hidden_labels": HiddenLabels.CLS };

/** What labels of a learner's inside bring, in the study's protocol and beside its figures. */
export const INTERNAL_TABLES: readonly StudyTable[] = [
  {
    id: "hidden-labels",
    title: "Attention labels and hidden labels",
    rows: everyKind((labels, steps) => [
      known(distilled(labels, none, steps)),
      known(distilled(labels, cls, steps)),
      withOthers(distilled(labels, none, steps), HIDDEN),
      withOthers(distilled(labels, cls, steps), HIDDEN),
      withOthers(distilled(labels, cls, steps), TEACHER),
      withOthers(distilled(labels, none, steps), { ...HIDDEN, ...TEACHER }),
      withOthers(distilled(labels, cls, steps), { ...HIDDEN, ...TEACHER }),
    ]),
  },
  {
    id: "supervised-attention",
    title: "Losses of attention labels",
    rows: everyKind((labels, steps) => [
      known(distilled(labels, none, steps)),
      ...[{}, TEACHER].flatMap((source) => [
        known(withOthers(distilled(labels, cls, steps), source)),
        ...[AttentionLoss.MSE, AttentionLoss.MUL].map((loss) =>
          withOthers(distilled(labels, cls, steps), {
            "distilled.attention_loss": loss,
            ...source,
          }),
        ),
      ]),
    ]),
  },
];

/** For one and for three steps, and for hard and unrestricted labels. */
function everyKind(rowsOf: (labels: Labels, steps: number) => StudyRow[]): StudyRow[] {
  return STEPS.flatMap((steps) => LABELS.flatMap((labels) => rowsOf(labels, steps)));
}

function withOthers(row: StudyRow, others: Record<string, FieldValue>): StudyRow {
  return { ...row, settings: new Map([...row.settings, ...Object.entries(others)]) };
}

/** With the study's figure, where one of its tables has the row. */
function known(row: StudyRow): StudyRow {
  const key = JSON.stringify([...row.settings]);
  const rows = STUDY_TABLES.flatMap((table) => table.rows);
  const same = rows.find(
    ({ kind, settings }) => kind === "distilled" && JSON.stringify([...settings]) === key,
  );
  return same ?? row;
}
