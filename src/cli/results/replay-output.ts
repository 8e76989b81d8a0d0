import type { Artifact, Experiment } from "../../generated/stillhouse/v1/experiment.js";
import { type DataPart, ExperimentSpec } from "../../generated/stillhouse/v1/spec.js";
import { overlapWarning } from "../../results/overlap-warning.js";
import { replayMethodWord } from "../../results/replay-names.js";
import { type ReplayView, replayViews } from "../../results/replay-view.js";
import { taskName } from "../../results/task-names.js";
import { INTERVAL_RULE, type Summary } from "../../statistics.js";
import {
  formatBetween,
  formatBytes,
  formatCount,
  formatGainRange,
  formatMeanStd,
  formatPercent,
} from "../../text/format.js";
import { Table } from "../terminal/table.js";
import { summaryDocument } from "./result-document.js";
import { subjectOf } from "./subject.js";

const PLAIN_STYLE = { head: [], border: [] };

const LEGEND = `accuracy: mean over all tasks at the end, ± between learners; forgetting: how far the accuracy on
a task falls from its highest; transfer: from right after the task to the end; gain: over simple
replay, of the learners that start alike, with its 95 % interval (${INTERVAL_RULE}).
between seeds: ± of the means of the learners that share their memories, and the gain of these.`;

/** What learners reach and forget with each kind of memory, as a person reads it. */
export function replayText(experiment: Experiment): string {
  const { spec, result } = experiment;
  const views = replayViews(result);
  const warning = overlapWarning(spec?.dataset?.found?.testRowsInTrain);
  return [
    `${subjectOf(spec)} · ${tasksText(spec)}`,
    methodTable(views),
    LEGEND,
    "",
    "Mean accuracy (%) over the tasks so far, after each task",
    curveTable(views),
    ...views.flatMap((view) => ["", matrixTitle(view), matrixTable(view)]),
    "",
    ...memoryLines(experiment),
    ...(warning === undefined ? [] : [warning]),
    "",
  ].join("\n");
}

/** "tasks {0,1} {2,3}", or "10 tasks with their pixels in another order". */
function tasksText(spec: ExperimentSpec | undefined): string {
  const tasks = spec?.replay?.tasks ?? [];
  const split = tasks.every(({ classes }) => classes.length > 0);
  if (!split) return `${tasks.length} tasks with their pixels in another order`;
  return `tasks ${tasks.map(({ classes }) => `{${classes.join(",")}}`).join(" ")}`;
}

function methodTable(views: readonly ReplayView[]): string {
  const table = tableOf([
    "memory",
    "samples",
    "bytes",
    "accuracy (%)",
    "between\nseeds",
    "forgetting",
    "transfer",
    "gain",
    "gain between\nseeds",
    "n",
  ]);
  for (const view of views) {
    table.push([
      view.label,
      formatCount(view.memorySamples),
      formatBytes(Math.round(view.memoryBytes)),
      spread(view.accuracy),
      formatBetween(view.accuracyOfSeeds.std),
      spread(view.forgetting),
      spread(view.backwardTransfer),
      view.gain === null ? "" : formatGainRange(view.gain),
      view.gainOfSeeds === null ? "" : formatGainRange(view.gainOfSeeds),
      String(view.accuracy.n),
    ]);
  }
  return table.toString();
}

function curveTable(views: readonly ReplayView[]): string {
  const numTasks = Math.max(0, ...views.map(({ curve }) => curve.length));
  const table = tableOf(["memory", ...numbers(numTasks).map((task) => `task ${task}`)]);
  for (const { label, curve } of views) table.push([label, ...curve.map(spread)]);
  return table.toString();
}

function matrixTitle({ label }: ReplayView): string {
  return `${label}: accuracy (%) on each task, after each task`;
}

function matrixTable({ matrix }: ReplayView): string {
  const table = tableOf(["after", ...numbers(matrix.length).map((task) => `on task ${task}`)]);
  matrix.forEach((row, at) => {
    const missing = Array.from({ length: matrix.length - row.length }, () => "");
    const cells = row.map(({ mean }) => formatPercent(mean));
    table.push([`task ${at + 1}`, ...cells, ...missing]);
  });
  return table.toString();
}

/** Where the distilled memories are, and how to see them. */
function memoryLines(experiment: Experiment): string[] {
  const memories = memoriesOf(experiment);
  const [first] = memories;
  if (first === undefined) return [];
  return [
    `${formatCount(memories.length)} distilled memories, such as ${first.name}; see it:`,
    `  npm run inspect -- ${first.artifact.id}`,
  ];
}

interface StoredMemory {
  readonly artifact: Artifact;
  readonly name: string;
  readonly seed: number;
  readonly part: DataPart;
}

/** The distilled memories that are done. */
function memoriesOf({ spec, tasks }: Experiment): StoredMemory[] {
  return tasks.flatMap((task) => {
    const [work, result] = [task.work?.kind, task.result?.kind];
    if (work?.$case !== "distill" || !work.value.part || result?.$case !== "distill") return [];
    const { artifact } = result.value;
    const { seed, part } = work.value;
    return artifact === undefined ? [] : [{ artifact, name: taskName(task, spec), seed, part }];
  });
}

function numbers(count: number): number[] {
  return Array.from({ length: count }, (_, at) => at + 1);
}

function spread({ mean, std }: Summary): string {
  return formatMeanStd(mean, std);
}

function tableOf(head: string[]) {
  return new Table({
    head,
    colAligns: head.map((_, at) => (at === 0 ? "left" : "right")),
    style: PLAIN_STYLE,
  });
}

/** All of it as one JSON document; figures are fractions. */
export function replayDocument(experiment: Experiment): object {
  const { spec } = experiment;
  return {
    experiment_id: experiment.id,
    spec: spec === undefined ? null : ExperimentSpec.toJSON(spec),
    spec_hash: experiment.specHash,
    methods: replayViews(experiment.result).map(viewDocument),
    memories: memoriesOf(experiment).map(({ artifact, name, seed, part }) => ({
      artifact_id: artifact.id,
      name,
      seed,
      classes: part.classes,
      permutation_seed: part.permutationSeed ?? null,
    })),
    runs: experiment.tasks.flatMap(runsOf),
  };
}

function viewDocument(view: ReplayView): object {
  return {
    id: view.id,
    label: view.label,
    memory_samples: view.memorySamples,
    memory_bytes: view.memoryBytes,
    accuracy: summaryDocument(view.accuracy),
    accuracy_of_seeds: summaryDocument(view.accuracyOfSeeds),
    forgetting: summaryDocument(view.forgetting),
    backward_transfer: summaryDocument(view.backwardTransfer),
    gain_over_simple: view.gain === null ? null : summaryDocument(view.gain),
    gain_over_simple_of_seeds: view.gainOfSeeds === null ? null : summaryDocument(view.gainOfSeeds),
    after: view.matrix.map((row, at) => ({
      accuracies: row.map(summaryDocument),
      mean: view.curve[at] === undefined ? null : summaryDocument(view.curve[at]),
    })),
  };
}

/** Each learner by itself, so that others can compute what they like. */
function runsOf({ work, result }: Experiment["tasks"][number]): object[] {
  if (work?.kind?.$case !== "replay" || result?.kind?.$case !== "replay") return [];
  const { method, seed } = work.kind.value;
  return result.kind.value.runs.map(({ initSeed, after }) => ({
    method: replayMethodWord(method),
    seed,
    init_seed: initSeed,
    after: after.map(({ accuracies }) => accuracies),
  }));
}
