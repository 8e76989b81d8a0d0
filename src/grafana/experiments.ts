import { MetricUnit } from "../generated/stillhouse/v1/service.js";
import { metricDescriptor } from "../metric-descriptors.js";
import { ACCURACY, fullTitle, OUTER_LOSS, VALIDATION_ACCURACY } from "../metric-names.js";
import { curves, dashboard, table } from "./panels.js";

const CHOSEN = '{experiment=~"$experiment"}';
const DISTILLED = '{experiment=~"$experiment",learners="distilled"}';
const FULL = '{experiment=~"$experiment",learners="full"}';

const UNITS: Partial<Record<MetricUnit, string>> = {
  [MetricUnit.FRACTION]: "percentunit",
  [MetricUnit.SECONDS]: "s",
};

/** How a metric is shown, as its descriptor says. */
function shown(name: string) {
  const descriptor = metricDescriptor(name);
  return {
    title: fullTitle(descriptor),
    description: descriptor.group?.summary ?? "",
    unit: UNITS[descriptor.unit] ?? "none",
  };
}

/** The experiments that run, and those of the last hour. */
export const experiments = dashboard({
  uid: "stillhouse-experiments",
  title: "Stillhouse: experiments",
  description: "The experiments that run and those that ended within the last hour.",
  variable: { name: "experiment", metric: "stillhouse_experiment_info" },
  rows: {
    Experiments: [
      table({
        title: "Experiments",
        description: "Test accuracy of the distilled data, with what the experiment is.",
        unit: "percentunit",
        queries: [
          {
            expr: `stillhouse_experiment_info${CHOSEN} * on (experiment) group_right (dataset, model, labels, attention_labels) stillhouse_experiment_accuracy_ratio${DISTILLED}`,
            legend: "{{experiment}}",
          },
        ],
      }),
      curves({
        title: "Progress",
        description: "Share of the outer steps that are done.",
        unit: "percentunit",
        queries: [
          { expr: `stillhouse_experiment_progress_ratio${CHOSEN}`, legend: "{{experiment}}" },
        ],
      }),
      curves({
        ...shown(OUTER_LOSS),
        description: "At the last outer step.",
        queries: [{ expr: `stillhouse_experiment_outer_loss${CHOSEN}`, legend: "{{experiment}}" }],
      }),
    ],
    Accuracy: [
      curves({
        ...shown(VALIDATION_ACCURACY),
        queries: [
          {
            expr: `stillhouse_experiment_validation_accuracy_ratio${CHOSEN}`,
            legend: "{{experiment}}",
          },
        ],
      }),
      curves({
        ...shown(ACCURACY),
        description: "Mean of the learners tested so far, by what they were trained on.",
        queries: [
          {
            expr: `stillhouse_experiment_accuracy_ratio${CHOSEN}`,
            legend: "{{experiment}} {{learners}}",
          },
        ],
      }),
      curves({
        title: "Ratio to full data",
        description: "Accuracy of the distilled data over that of full data.",
        unit: "percentunit",
        queries: [
          {
            expr: `stillhouse_experiment_accuracy_ratio${DISTILLED} / ignoring (learners) stillhouse_experiment_accuracy_ratio${FULL}`,
            legend: "{{experiment}}",
          },
        ],
      }),
      curves({
        title: "Best so far",
        description: "Greatest test accuracy of distilled data, by data set.",
        unit: "percentunit",
        queries: [
          {
            expr: `max by (dataset) (stillhouse_experiment_info${CHOSEN} * on (experiment) group_right (dataset) stillhouse_experiment_accuracy_ratio${DISTILLED})`,
            legend: "{{dataset}}",
          },
        ],
      }),
    ],
  },
});
