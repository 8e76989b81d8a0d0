import { Experiment, type Task } from "../../generated/stillhouse/v1/experiment.js";
import { ExperimentOrder } from "../../generated/stillhouse/v1/service.js";
import { robustnessSubject } from "../../results/robustness-subject.js";
import { shortLabel } from "../../results/spec-labels.js";
import { taskName } from "../../results/task-names.js";
import type { Options } from "../terminal/command-line.js";
import { Table } from "../terminal/table.js";
import { choicesOf, countOf, type Shape } from "./command.js";
import { printJson, type Session } from "./session.js";
import { ageText, STATES, standingText, stateWord, tookText } from "./state-words.js";

export const LIST: Shape = {
  name: "ls",
  description: "Lists experiments, the newest first.",
  flags: [
    ["--state <which>", `Only these, with commas: ${Object.keys(STATES).join(", ")}`],
    ["--dataset <name>", "Only of this data set"],
    ["--model <name>", "Only of this model"],
    ["--owner <name>", "Only of this owner"],
    ["--sweep <id>", "Only of this sweep"],
    ["--text <part>", "Only with this in the id or the name"],
    ["--order <which>", "newest, oldest or accuracy (default: newest)"],
    ["--limit <n>", "Rows at most (default: 20)"],
  ],
};

const DEFAULT_LIMIT = 20;
const PAGE = 1_000;
const ORDERS = {
  newest: ExperimentOrder.NEWEST_FIRST,
  oldest: ExperimentOrder.OLDEST_FIRST,
  accuracy: ExperimentOrder.MOST_ACCURATE_FIRST,
} as const;

/** The subcommand `ls`. */
export async function list(session: Session, options: Options): Promise<number> {
  const limit = countOf(options.limit, "--limit", DEFAULT_LIMIT);
  const { experiments, hasMore } = await firstOf(session, options, limit);
  if (session.isJson) {
    printJson(session, { experiments: experiments.map((found) => Experiment.toJSON(found)) });
    return 0;
  }
  if (experiments.length === 0) {
    session.note("There are no such experiments");
    return 0;
  }
  session.terminal.stdout.write(`${table(experiments, new Date())}\n`);
  if (hasMore) session.note(`These are the first ${limit}; --limit shows more`);
  return 0;
}

async function firstOf({ connection }: Session, options: Options, limit: number) {
  const text = (name: string) => (typeof options[name] === "string" ? options[name] : "");
  const filter = {
    states: choicesOf(options.state, "--state", STATES),
    dataset: text("dataset"),
    model: text("model"),
    owner: text("owner"),
    sweepId: text("sweep"),
    text: text("text"),
  };
  const [order = ORDERS.newest] = choicesOf(options.order, "--order", ORDERS);
  const experiments: Experiment[] = [];
  let pageToken = "";
  do {
    const size = Math.min(PAGE, limit - experiments.length);
    const page = await connection.call((client) => client.list(size, pageToken, filter, order));
    experiments.push(...page.experiments);
    pageToken = page.nextPageToken;
  } while (pageToken !== "" && experiments.length < limit);
  return { experiments, hasMore: pageToken !== "" };
}

function table(experiments: readonly Experiment[], now: Date): string {
  const rows = new Table({
    head: [
      "id",
      "state",
      "data set",
      "model",
      "of what",
      "accuracy",
      "took",
      "name",
      "owner",
      "made",
    ],
    style: { head: [], border: [] },
  });
  for (const experiment of experiments) {
    const { id, state, spec, owner, createTime } = experiment;
    rows.push([
      id,
      stateWord(state),
      baseName(spec?.dataset?.name),
      baseName(spec?.model?.name),
      subjectText(experiment),
      standingText(experiment),
      tookText(experiment, now),
      spec?.name ?? "",
      owner,
      ageText(createTime, now),
    ]);
  }
  return rows.toString();
}

/** What is distilled, or which distilled data is evaluated, or else which baselines. */
function subjectText({ spec, tasks }: Experiment): string {
  if (spec?.robustness !== undefined) return robustnessSubject(shortLabel(spec), spec.robustness);
  const isBaseline = ({ work }: Task) => work?.kind?.$case === "baseline";
  if (tasks.length === 0 || !tasks.every(isBaseline)) return shortLabel(spec);
  return `only ${tasks.map((task) => taskName(task, spec).toLowerCase()).join(", ")}`;
}

/** A model may be a folder; its last part says enough. */
function baseName(name = ""): string {
  return name.split("/").at(-1) ?? name;
}
