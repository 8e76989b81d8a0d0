import { State } from "../../generated/stillhouse/v1/experiment.js";
import { comparisonNote, rowOverSeeds, type SeedRow } from "../../results/distillations.js";
import type { Row } from "../../results/rows.js";
import { formatBetween, formatInterval, formatMeanStd, formatPercent } from "../../text/format.js";
import { resultOf } from "../results/result.js";
import { memberDocument, overSeedsDocument } from "../results/result-document.js";
import type { Outcome } from "../run/experiment-runner.js";
import { Table } from "../terminal/table.js";
import type { Cell } from "./sweep-arguments.js";

const SEED = "seed";
const PLAIN_STYLE = { head: [], border: [] };

/** A sweep as it ended: an outcome per cell, in their order. */
export interface SweepOutcome {
  readonly axes: readonly string[];
  readonly cells: readonly Cell[];
  readonly outcomes: readonly Outcome[];
}

/** Every experiment and, where seeds are an axis, each setting over its seeds. */
export function sweepText(sweep: SweepOutcome): string {
  const settings = overSeeds(sweep);
  const parts = [
    experimentsTable(sweep),
    ...(sweep.axes.includes(SEED) && settings.length > 0 ? [settingsTable(sweep, settings)] : []),
    ...(settings.length > 1 ? [comparisonNote(settings.map(({ seeds }) => seeds.length))] : []),
  ];
  return `\n${parts.join("\n")}\n`;
}

function experimentsTable({ axes, cells, outcomes }: SweepOutcome): string {
  const table = new Table({
    head: [...axes, "accuracy (%)", "n", "validation (%)", "experiment"],
    style: PLAIN_STYLE,
  });
  cells.forEach(({ settings }, at) => {
    const { experiment } = outcomes[at] as Outcome;
    const accuracy = distilledRow(outcomes[at] as Outcome)?.accuracy;
    const validation = resultOf(experiment).distillation?.validationAccuracy;
    table.push([
      ...axes.map((axis) => settings.get(axis) ?? ""),
      accuracy === undefined
        ? stateWord(experiment.state)
        : formatMeanStd(accuracy.mean, accuracy.std),
      accuracy?.n ?? "",
      validation === undefined ? "" : formatPercent(validation),
      experiment.id,
    ]);
  });
  return table.toString();
}

/** Settings without their seed, and the distillations with them that have a result. */
interface SettingOverSeeds {
  readonly settings: ReadonlyMap<string, string>;
  readonly seeds: readonly [SeedRow, ...SeedRow[]];
}

function overSeeds({ cells, outcomes }: SweepOutcome): SettingOverSeeds[] {
  const groups = new Map<string, { settings: ReadonlyMap<string, string>; seeds: SeedRow[] }>();
  cells.forEach((cell, at) => {
    const outcome = outcomes[at] as Outcome;
    const row = distilledRow(outcome);
    if (row === undefined || hasFailed(outcome)) return;
    const settings = new Map([...cell.settings].filter(([flag]) => flag !== SEED));
    const key = JSON.stringify([...settings]);
    const group = groups.get(key) ?? { settings, seeds: [] };
    group.seeds.push({ seed: outcome.experiment.spec?.seed ?? 0, row });
    groups.set(key, group);
  });
  return [...groups.values()].map(({ settings, seeds }) => ({
    settings,
    seeds: seeds as [SeedRow, ...SeedRow[]],
  }));
}

function settingsTable({ axes }: SweepOutcome, rows: readonly SettingOverSeeds[]): string {
  const others = axes.filter((axis) => axis !== SEED);
  const table = new Table({
    head: [...others, "seeds", "accuracy (%)", "n", "between seeds", "95 % interval"],
    style: PLAIN_STYLE,
  });
  for (const { settings, seeds } of rows) {
    const { learners, distillations } = rowOverSeeds(seeds).spread;
    table.push([
      ...others.map((axis) => settings.get(axis) ?? ""),
      distillations.n,
      formatMeanStd(distillations.mean, learners.std),
      learners.n,
      formatBetween(distillations.std),
      formatInterval(distillations.interval95),
    ]);
  }
  return table.toString();
}

/** The sweep as one JSON document. */
export function sweepDocument(sweep: SweepOutcome): object {
  const { axes, cells, outcomes } = sweep;
  return {
    sweep_id: outcomes[0]?.experiment.sweepId ?? null,
    axes,
    experiments: cells.map(({ settings }, at) => {
      const { experiment, artifactPath } = outcomes[at] as Outcome;
      const document = memberDocument(experiment, artifactPath);
      return { settings: Object.fromEntries(settings), ...document };
    }),
    over_seeds: overSeeds(sweep).map(({ settings, seeds }) => ({
      settings: Object.fromEntries(settings),
      ...overSeedsDocument(seeds),
    })),
  };
}

function distilledRow({ experiment }: Outcome): Row | undefined {
  return resultOf(experiment).rows.find(({ id }) => id === "distilled");
}

export function hasFailed({ experiment }: Outcome): boolean {
  return experiment.state === State.FAILED;
}

function stateWord(state: State): string {
  return state === State.FAILED ? "failed" : "";
}
