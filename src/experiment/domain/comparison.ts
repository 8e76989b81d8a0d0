import type { Experiment } from "../../generated/stillhouse/v1/experiment.js";
import type {
  ComparedExperiment,
  CompareExperimentsResponse,
  Interval,
  SettingDifference,
} from "../../generated/stillhouse/v1/service.js";
import type { ExperimentSpec } from "../../generated/stillhouse/v1/spec.js";
import { readField } from "../../settings/field-path.js";
import { fieldText } from "../../settings/field-text.js";
import { fieldsOf } from "../../settings/setting.js";
import { SETTINGS } from "../../settings/settings.js";
import { FRACTIONS, pairedDifference, type Summary, summarise } from "../../statistics.js";
import { accuracies } from "./record.js";

/** Data and weights may differ where their names do not. */
const FINGERPRINTS = ["dataset.fingerprint", "model.fingerprint"];

/**
 * Settings that differ, and how much better each experiment is than the first one.
 *
 * @param experiments at least one, each with its tasks
 */
export function compareExperiments(experiments: readonly Experiment[]): CompareExperimentsResponse {
  const specs = experiments.flatMap(({ spec }) => (spec === undefined ? [] : [spec]));
  const [first] = experiments;
  const reference = accuracies(first?.tasks ?? []);
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
  { id, tasks }: Experiment,
  reference: ReadonlyMap<string, number> | undefined,
): ComparedExperiment {
  const own = accuracies(tasks);
  const accuracy = own.size === 0 ? undefined : summarise([...own.values()], FRACTIONS);
  const gain = reference && pairedDifference(own, reference);
  return {
    experimentId: id,
    accuracyMean: accuracy?.mean,
    accuracyStd: accuracy?.std ?? undefined,
    accuracyInterval: intervalOf(accuracy),
    gain: gain?.mean,
    gainInterval: intervalOf(gain ?? undefined),
    sharedInits: gain?.n ?? 0,
  };
}

function intervalOf(summary: Summary | undefined): Interval | undefined {
  if (!summary?.interval95) return undefined;
  const [low, high] = summary.interval95;
  return { low, high };
}
