import type { Experiment } from "../../generated/stillhouse/v1/experiment.js";
import { GetExperimentResponse } from "../../generated/stillhouse/v1/service.js";
import { distilledLabel } from "../../results/spec-labels.js";
import { taskNames } from "../../results/task-names.js";
import { printable } from "../../text/printable.js";
import { replayText } from "../results/replay-output.js";
import { resultOf } from "../results/result.js";
import { renderResult } from "../results/result-table.js";
import { robustnessText } from "../results/robustness-output.js";
import { robustnessResult } from "../results/robustness-result.js";
import { subjectOf } from "../results/subject.js";
import { Table } from "../terminal/table.js";
import type { Shape } from "./command.js";
import { foundExperiment, printJson, type Session } from "./session.js";
import { ageText, durationText, stateWord, taskStanding } from "./state-words.js";

export const SHOW: Shape = {
  name: "show",
  argument: "<id>",
  description: "Shows an experiment: its settings, its tasks, and its results so far.",
};

/** The subcommand `show`. */
export async function show(session: Session, prefix: string): Promise<number> {
  const { experiment, artifactPath } = await foundExperiment(session, prefix);
  if (session.isJson) {
    printJson(session, GetExperimentResponse.toJSON({ experiment, artifactPath }));
    return 0;
  }
  const { stdout, columns } = session.terminal;
  stdout.write(headText(experiment, new Date()));
  if (resultOf(experiment).rows.length > 0) {
    stdout.write(`\n${resultText(experiment, artifactPath, columns)}`);
  }
  return 0;
}

function resultText(
  experiment: Experiment,
  artifactPath: string,
  columns: number | undefined,
): string {
  const { robustness, replay } = experiment.spec ?? {};
  if (robustness) return robustnessText(experiment, robustnessResult(experiment));
  if (replay) return replayText(experiment);
  return renderResult(experiment, artifactPath, columns);
}

function headText(experiment: Experiment, now: Date): string {
  const { id, spec, state, createTime, owner, priority, sweepId, failure } = experiment;
  const facts: [string, string][] = [
    ["Experiment", spec?.name ? `${id}, ${spec.name}` : id],
    ["State", `${stateWord(state)}, created ${ageText(createTime, now)}`],
    ["What", `${distilledLabel(spec)}, seed ${spec?.seed}`],
    ["On", subjectOf(spec)],
    ["Owner", owner],
    ["Priority", priority === 0 ? "" : String(priority)],
    ["Sweep", sweepId],
    ["Failure", failure?.message ?? ""],
  ];
  const lines = facts
    .filter(([, text]) => text !== "")
    .map(([name, text]) => `${name.padEnd(12)}${printable(text)}\n`);
  return `${lines.join("")}${taskTable(experiment, now)}\n`;
}

function taskTable({ tasks, spec }: Experiment, now: Date): string {
  const table = new Table({
    head: ["task", "state", "attempt", "worker", "time", "standing"],
    style: { head: [], border: [] },
  });
  const names = taskNames(tasks, spec);
  for (const [at, task] of tasks.entries()) {
    const { state, attempt, workerId } = task;
    table.push([
      names[at],
      stateWord(state),
      attempt === 0 ? "" : attempt,
      workerId,
      durationText(task, now),
      taskStanding(task),
    ]);
  }
  return table.toString();
}
