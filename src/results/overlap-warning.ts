import { formatCount } from "../text/format.js";
/** The warning of a result whose test rows are also in train; undefined where none are. */
export function overlapWarning(testRowsInTrain: number | undefined): string | undefined {
  if (!testRowsInTrain) return undefined;
  const isOne = testRowsInTrain === 1;
  const rows = `${formatCount(testRowsInTrain)} test ${isOne ? "row is" : "rows are"}`;
  return (
    `WARNING: ${rows} also in train, the same ${isOne ? "text" : "texts"} but for white space: ` +
    "scores do not show how well a learner does on new texts."
  );
}
