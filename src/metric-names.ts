/** The names of metrics that more than one part of the program asks for. */

/** The metric that a worker reports once per outer step. */
export const OUTER_LOSS = "outer_loss";
export const VALIDATION_ACCURACY = "validation_accuracy";
/** Test accuracy of each learner, in the order in which they are tested. */
export const ACCURACY = "accuracy";
/** Validation accuracy of each learner of a pool, in the order in which they are trained. */
export const POOL_ACCURACY = "pool_accuracy";

/** What of a MetricDescriptor names it, in either form of the message. */
export interface Titles {
  readonly title: string;
  readonly group?: { readonly title: string } | undefined;
}

/** The full name of a metric: "Loss: after (real samples)", or the title of a group of one. */
export function fullTitle({ title, group }: Titles): string {
  const groupTitle = group?.title ?? "";
  return title.toLowerCase() === groupTitle.toLowerCase() ? groupTitle : `${groupTitle}: ${title}`;
}
