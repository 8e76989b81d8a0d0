import { formatCount } from "../text/format.js";
/** What a result says of itself where test rows were also trained on; undefined where none were. */
export function overlapWarning(testRowsInTrain: number | undefined): string | undefined {
  if (!testRowsInTrain) return undefined;
  const isOne = testRowsInTrain === 1;
  const rows = `${formatCount(testRowsInTrain)} test ${isOne ? "row is" : "rows are"}`;
  return (
    `WARNING: ${rows} also in train, the same ${isOne ? "text" : "texts"} but for white space: ` +
    "scores do not show how well a learner does on new texts."
  );
}
