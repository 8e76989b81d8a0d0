import type { Experiment } from "../../generated/stillhouse/v1/experiment.js";
import type {
  ComparedExperiment,
  CompareExperimentsResponse,
  Interval,
  SettingDifference,
} from "../../generated/stillhouse/v1/service.js";
import type { ExperimentSpec } from "../../generated/stillhouse/v1/spec.js";
import { learnersBySeed, summaryOf } from "../../results/rows.js";
import { completedSpec } from "../../settings/earlier-spec.js";
import { readField } from "../../settings/field-path.js";
import { fieldText } from "../../settings/field-text.js";
import { fieldsOf } from "../../settings/setting.js";
import { SETTINGS } from "../../settings/settings.js";
import { pairedDifference, type Summary } from "../../statistics.js";
import { distilledRow } from "./record.js";

/** Data and weights may differ where their names do not. */
const FINGERPRINTS = [
  "dataset.fingerprint",
  "model.fingerprint",
  "model.embeddings_found.fingerprint",
];

/**
 * Settings that differ, and how much better each experiment is than the first one.
 *
 * @param experiments at least one, each with its result
 */
export function compareExperiments(experiments: readonly Experiment[]): CompareExperimentsResponse {
  const specs = experiments.flatMap(({ spec }) =>
    spec === undefined ? [] : [completedSpec(spec)],
  );
  const [first] = experiments;
  const reference = first && learnersOf(first);
  return {
    differences: differencesOf(specs),
    experiments: experiments.map((experiment) =>
      comparedExperiment(experiment, experiment === first ? undefined : reference),
    ),
  };
}

function differencesOf(specs: readonly ExperimentSpec[]): SettingDifference[] {
  const settings = SETTINGS.flatMap(fieldsOf).filter((field) => field !== "name");
  const differences = [
    ...settings.map((field) => ({ field, values: specs.map((spec) => fieldText(spec, field)) })),
    ...FINGERPRINTS.map((field) => ({
      field,
      values: specs.map((spec) => String(readField(spec, field) ?? "")),
    })),
  ];
  return differences.filter(({ values }) => new Set(values).size > 1);
}

function comparedExperiment(
  experiment: Experiment,
  reference: ReadonlyMap<string, number> | undefined,
): ComparedExperiment {
  const message = distilledRow(experiment)?.accuracy;
  const accuracy = message && summaryOf(message);
  const gain = reference && pairedDifference(learnersOf(experiment), reference);
  return {
    experimentId: experiment.id,
    accuracyMean: accuracy?.mean,
    accuracyStd: accuracy?.std ?? undefined,
    accuracyInterval: intervalOf(accuracy),
    gain: gain?.mean,
    gainInterval: intervalOf(gain ?? undefined),
    sharedInits: gain?.n ?? 0,
  };
}

function learnersOf(experiment: Experiment): ReadonlyMap<string, number> {
  const row = distilledRow(experiment);
  return row === undefined ? new Map() : learnersBySeed(row);
}

function intervalOf(summary: Summary | undefined): Interval | undefined {
  if (!summary?.interval95) return undefined;
  const [low, high] = summary.interval95;
  return { low, high };
}
