import { invalid } from "../errors.js";
import {
  AttentionInit,
  AttentionLabels,
  type ExperimentSpec,
  HiddenInit,
  HiddenLabels,
  InternalLabels,
} from "../generated/stillhouse/v1/spec.js";
import { readField } from "./field-path.js";
import { settingOf } from "./settings.js";

const PATH = "distilled.internal_labels";
/** Where learned labels start, which says nothing of those of a teacher. */
const STARTS = [
  ["distilled.attention_init", AttentionInit.UNSPECIFIED],
  ["distilled.hidden_init", HiddenInit.UNSPECIFIED],
] as const;

/** Whether attention labels and hidden labels are those of a teacher. */
export function hasTeacher({ distilled }: Pick<ExperimentSpec, "distilled">): boolean {
  return distilled?.internalLabels === InternalLabels.TEACHER;
}

/**
 * Refuses a teacher that teaches nothing, and what does not go with one.
 *
 * @param spec resolved but for its checks
 * @param draft says nothing of where labels of a teacher start
 * @throws StillhouseError INVALID that names the first field at fault
 */
export function checkTeacher(spec: ExperimentSpec, draft: ExperimentSpec): void {
  if (!hasTeacher(spec)) return;
  const { attentionLabels, hiddenLabels } = spec.distilled ?? {};
  if (attentionLabels === AttentionLabels.NONE && hiddenLabels === HiddenLabels.NONE) {
    throw invalid(
      PATH,
      `${named(PATH)} teacher needs labels that it gives: --al cls or all, or --hidden-labels cls`,
    );
  }
  if (spec.replay) {
    throw invalid(
      PATH,
      `${named(PATH)} must be learned in continual learning: no learner is trained on all tasks, ` +
        "got teacher",
    );
  }
  for (const [path, unset] of STARTS) {
    const given = readField(draft, path);
    const isResolved = Boolean(draft.model?.fingerprint);
    if (given === undefined || given === unset || isResolved) continue;
    throw invalid(
      path,
      `${named(path)} is where learned labels start, and with --internal-labels teacher they are ` +
        "given; leave it out",
    );
  }
}

function named(path: string): string {
  return `--${settingOf(path).flag} (${path})`;
}
