import type { Outcome } from "../run/experiment-runner.js";

/** What a person wrote or the optimiser chose for each axis, by its flag. */
export type SearchSettings = ReadonlyMap<string, string>;

/** One set of settings that was tried. */
export interface Trial {
  readonly settings: SearchSettings;
  readonly outcome: Outcome;
  /** Accuracy on validation of what was kept; undefined where the trial failed. */
  readonly accuracy: number | undefined;
}

/** The trial with the greatest validation accuracy, the first of equal ones; undefined for none. */
export function bestOf(trials: readonly Trial[]): Trial | undefined {
  return trials.reduce<Trial | undefined>(
    (best, trial) => ((trial.accuracy ?? -1) > (best?.accuracy ?? -1) ? trial : best),
    undefined,
  );
}

/** "--lr 0.01 --sl none". */
export function settingsText(settings: SearchSettings): string {
  return [...settings].map(([flag, value]) => `--${flag} ${value}`).join(" ");
}
