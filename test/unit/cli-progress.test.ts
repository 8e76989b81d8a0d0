import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { EventPresenter } from "../../src/cli/progress/event-presenter.js";
import {
  type GroupOverview,
  OverviewCounter,
  overviewText,
} from "../../src/cli/progress/group-overview.js";
import { LiveProgress } from "../../src/cli/progress/live-progress.js";
import { PlainProgress } from "../../src/cli/progress/plain-progress.js";
import type { ProgressDisplay } from "../../src/cli/progress/progress-display.js";
import { joinParts, progressParts, taskEndText } from "../../src/cli/progress/progress-text.js";
import {
  Event,
  Experiment,
  LogLine,
  Progress,
  State,
  Task,
  TaskResult,
} from "../../src/generated/stillhouse/v1/experiment.js";
import { ExperimentSpec } from "../../src/generated/stillhouse/v1/spec.js";
import { taskNames } from "../../src/results/task-names.js";
import { DISTILL, FULL } from "../fixtures/finished-experiment.js";
import { RecordedOutput } from "../fixtures/recorded-output.js";

const RUNNING: Task = { ...DISTILL, state: State.RUNNING, result: undefined };

function distilling(done: number, stage = "distilling"): Progress {
  return Progress.fromJSON({
    stage,
    done,
    total: 1500,
    per_second: 3.21,
    seconds_left: 312,
    values: { validation_accuracy: 0.9123, loss: 0.41234 },
  });
}

const ENDED = { state: State.SUCCEEDED, result: TaskResult.fromPartial({ wallTimeS: 3 }) };
/** Many outer steps, so that the distillation is most of the work. */
const LONG_SPEC = ExperimentSpec.fromPartial({
  outer: { epochs: 0, steps: 1_500, batchSize: 480, initsPerStep: 1 },
});

function task(name: "evaluate" | "untrained", numLearners: number): Task {
  const init_seeds = Array.from({ length: numLearners }, (_, seed) => seed + 1);
  const untrained = { baseline: { kind: "BASELINE_KIND_UNTRAINED", init_seeds } };
  const work = name === "evaluate" ? { evaluate: { init_seeds } } : untrained;
  return Task.fromJSON({ id: `x1-${name}`, state: "STATE_QUEUED", work });
}

const INFO = LogLine.fromJSON({ level: "LOG_LEVEL_INFO", message: "a line of the worker" });
const DEBUG = LogLine.fromJSON({ level: "LOG_LEVEL_DEBUG", message: "of no interest" });

describe("the text of a progress", () => {
  it("says what is counted, the values, the speed and the time left", () => {
    assert.equal(
      joinParts(progressParts(distilling(510))),
      "outer step 510/1,500 · loss 0.412 · validation 91.2 % · 3.21/s · 5 min 12 s left",
    );
  });

  it("gives mean and deviation of an evaluation in percent", () => {
    const progress = Progress.fromJSON({
      stage: "evaluating",
      done: 7,
      total: 20,
      values: { accuracy_mean: 0.9071, accuracy_std: 0.0021 },
    });
    assert.equal(joinParts(progressParts(progress)), "init 7/20 · accuracy 90.7 ± 0.2 %");
  });

  it("leaves out the least important where room is short: first the speed, never the count", () => {
    const parts = progressParts(distilling(510));
    assert.equal(
      joinParts(parts, 71),
      "outer step 510/1,500 · loss 0.412 · validation 91.2 % · 5 min 12 s left",
    );
    assert.equal(joinParts(parts, 40), "outer step 510/1,500 · 5 min 12 s left");
    assert.equal(joinParts(parts, 3), "outer step 510/1,500");
  });

  it("of an uncounted stage is its name", () => {
    const loading = Progress.fromJSON({ stage: "loading", done: 0, total: 1 });
    assert.equal(joinParts(progressParts(loading)), "loading");
  });
});

describe("the sentence about an ended task", () => {
  it("has its result, its time, and whether it was reused", () => {
    assert.equal(
      taskEndText(DISTILL, "Distillation"),
      "Distillation: kept outer step 1,400, validation 91.2 %, 12 min 5 s",
    );
    assert.equal(
      taskEndText(FULL, "Full data"),
      "Full data: accuracy 95.0 %, reused from an earlier experiment",
    );
  });

  it("says why a lost task is tried again, and nothing about one that never ran", () => {
    const failure = { kind: "FAILURE_KIND_WORKER_LOST", message: "the worker was killed" };
    const lost = Task.fromJSON({
      ...(Task.toJSON(RUNNING) as object),
      state: "STATE_QUEUED",
      failure,
    });
    assert.equal(
      taskEndText(lost, "Distillation"),
      "Distillation: the worker was killed; it is tried again",
    );
    assert.equal(
      taskEndText({ ...RUNNING, state: State.CANCELLED, attempt: 0 }, "Distillation"),
      undefined,
    );
    assert.equal(taskEndText(RUNNING, "Distillation"), undefined);
  });
});

describe("plain progress", () => {
  it("is one line per ten seconds, and one whenever the stage changes", () => {
    const out = new RecordedOutput();
    let nowMs = 0;
    const display = new PlainProgress(out, () => nowMs);
    for (let step = 1; step <= 250; step++) {
      display.progress(RUNNING, "Distillation", distilling(step));
      nowMs += 100;
    }
    assert.equal(out.lines.length, 3);
    assert.match(out.lines[1] ?? "", /^Distillation: 6\.7 %, outer step 101\/1,500 · loss/);
    display.progress(RUNNING, "Distillation", distilling(250, "validating"));
    assert.match(out.lines[3] ?? "", /init 250/);
    display.log(INFO);
    display.log(DEBUG);
    display.task(DISTILL, "Distillation");
    assert.deepEqual(out.lines.slice(4), [
      "a line of the worker",
      "Distillation: kept outer step 1,400, validation 91.2 %, 12 min 5 s",
    ]);
    assert.ok(!out.text.includes("\u001b"));
  });

  it("of the command's own work is one line per ten seconds, and none at its end", () => {
    const out = new RecordedOutput();
    let nowMs = 0;
    const display = new PlainProgress(out, () => nowMs);
    for (let done = 0; done <= 9; done++) {
      display.work("Reading", done, 9);
      nowMs += 4_000;
    }
    assert.deepEqual(out.lines, ["Reading: 0 of 9", "Reading: 3 of 9", "Reading: 6 of 9"]);
  });
});

describe("progress of the whole experiment", () => {
  const tasks = [RUNNING, task("evaluate", 50), { ...task("untrained", 5), ...ENDED }];
  const experiment = Experiment.fromPartial({ id: "x1", spec: LONG_SPEC, tasks });

  function shownOn(display: ProgressDisplay, isMember = false): void {
    const presenter = new EventPresenter(display, isMember);
    const event = Event.create();
    presenter.show({ ...event, kind: { $case: "experiment", value: experiment } });
    const progress = { $case: "progress" as const, value: distilling(750) };
    presenter.show({ ...event, taskId: RUNNING.id, kind: progress });
  }

  it("counts its work, not its tasks, with the time left for all of it", () => {
    const out = new RecordedOutput();
    shownOn(new PlainProgress(out, () => 0));
    const [line = ""] = out.lines;
    const [, share, minutes] = /^(4[0-9]\.\d) % of all work, (\d+) min .* left; /.exec(line) ?? [];
    assert.ok(share !== undefined && Number(minutes) >= 6, line);
    assert.match(line, /left; Distillation: outer step 750\/1,500 · loss 0\.412 .*\/s$/);
  });

  it("is one bar above those of the tasks, which show no time left themselves", async () => {
    const out = new RecordedOutput(100);
    const display = new LiveProgress(out);
    shownOn(display);
    await sleep(REDRAWN_MS);
    const [whole, ...others] = screenAfter(out.text);
    assert.match(whole ?? "", /^Experiment █+░+ +4\d % {2}\d+ min .* left$/);
    assert.equal(others.length, 1);
    assert.match(others[0] ?? "", /^Distillation .* 50 % {2}outer step 750\/1,500 .*\/s$/);
    display.task(DISTILL, "Distillation");
    await sleep(REDRAWN_MS);
    assert.match(screenAfter(out.text).at(-1) ?? "", /^Experiment /);
    display.close();
  });

  it("is shown by the overview of a group instead", () => {
    const out = new RecordedOutput();
    shownOn(new PlainProgress(out, () => 0), true);
    assert.match(out.lines[0] ?? "", /^Distillation: 50\.0 %, .* left$/);
  });
});

it("numbers tasks of an experiment that have the same name", () => {
  const evaluation = Task.fromJSON({ id: "x-evaluate", work: { evaluate: {} } });
  assert.deepEqual(taskNames([DISTILL, evaluation, FULL, evaluation], undefined), [
    "Distillation",
    "Evaluation, 1 of 2",
    "Full data",
    "Evaluation, 2 of 2",
  ]);
});

/** What a terminal shows after this output; knows only the sequences that the bars use. */
function screenAfter(text: string): string[] {
  const lines = [""];
  let row = 0;
  let column = 0;
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are the terminal's own
  for (const [token] of text.matchAll(/\u001b\[[?\d;]*[A-Za-z]|\n|\r|[^\u001b\n\r]+/g)) {
    if (token === "\n") {
      row++;
      column = 0; // a real terminal starts a new line at a line feed
      lines[row] ??= "";
    } else if (token === "\r") {
      column = 0;
    } else if (token.startsWith("\u001b")) {
      const count = Number.parseInt(token.slice(2), 10) || 0;
      const command = token.at(-1);
      const line = lines[row] ?? "";
      if (command === "A") row = Math.max(0, row - (count || 1));
      if (command === "G") column = (count || 1) - 1;
      if (command === "K") lines[row] = count === 2 ? "" : line.slice(0, column);
      if (command === "J") lines.splice(row, lines.length, line.slice(0, column));
    } else {
      const line = (lines[row] ?? "").padEnd(column);
      lines[row] = line.slice(0, column) + token + line.slice(column + token.length);
      column += token.length;
    }
  }
  return lines.map((line) => line.trimEnd()).filter((line) => line !== "");
}

const REDRAWN_MS = 450;

describe("live progress", () => {
  it("keeps one bar at the end, with all lines whole above it", async () => {
    const out = new RecordedOutput(80);
    const display = new LiveProgress(out);
    display.note("before");
    display.progress(RUNNING, "Distillation", distilling(10));
    await sleep(REDRAWN_MS);
    display.log(INFO);
    display.log(DEBUG);
    display.progress(RUNNING, "Distillation", distilling(750));
    await sleep(REDRAWN_MS);
    const screen = screenAfter(out.text);
    assert.deepEqual(screen.slice(0, -1), ["before", "a line of the worker"]);
    const bar = screen.at(-1) ?? "";
    assert.match(bar, /^Distillation █+░+ +50 % {2}outer step 750\/1,500 .* left$/);
    assert.ok(bar.length < 80);
    display.task(DISTILL, "Distillation");
    display.note("after");
    assert.deepEqual(screenAfter(out.text), [
      "before",
      "a line of the worker",
      "Distillation: kept outer step 1,400, validation 91.2 %, 12 min 5 s",
      "after",
    ]);
    assert.ok(out.text.lastIndexOf("\u001b[?25h") > out.text.lastIndexOf("\u001b[?25l"), "cursor");
  });

  it("has a bar for each running task, and leaves the terminal in order when it is closed", async () => {
    const out = new RecordedOutput(80);
    const display = new LiveProgress(out);
    display.progress(RUNNING, "Distillation", distilling(10));
    display.progress({ ...FULL, state: State.RUNNING }, "Full data", distilling(20, "training"));
    await sleep(REDRAWN_MS);
    display.note("a sentence");
    await sleep(REDRAWN_MS);
    const [sentence, ...bars] = screenAfter(out.text);
    assert.equal(sentence, "a sentence");
    assert.match(bars[0] ?? "", /^Distillation /);
    assert.match(bars[1] ?? "", /^Full data /);
    assert.equal(bars.length, 2);
    display.note("the last one");
    display.close();
    assert.deepEqual(screenAfter(out.text), ["a sentence", "the last one"]);
  });

  it("has a bar for the command's own work until that is over", async () => {
    const out = new RecordedOutput(80);
    const display = new LiveProgress(out);
    display.work("Reading", 0, 4);
    display.work("Reading", 1, 4);
    await sleep(REDRAWN_MS);
    assert.match(screenAfter(out.text)[0] ?? "", /^Reading .* 25 % +1 of 4$/);
    display.work("Reading", 4, 4);
    assert.deepEqual(screenAfter(out.text), []);
  });
});

describe("the overview of a group", () => {
  const OVERVIEW = { total: 14, done: 3, running: 1, failed: 1 };
  const TEXT = "3 of 14 done, 1 running, 1 failed, 9 waiting";

  it("counts experiments that are done, running, failed and waiting", () => {
    assert.equal(overviewText(OVERVIEW), TEXT);
    assert.equal(overviewText({ ...OVERVIEW, done: 14, running: 0, failed: 0 }), "14 of 14 done");
    const shown: GroupOverview[] = [];
    const counter = new OverviewCounter(3, (overview) => shown.push(overview));
    counter.set(0, "running");
    counter.set(0, "running");
    counter.set(0, "done");
    counter.set(2, "failed");
    assert.equal(shown.length, 3);
    assert.deepEqual(shown.at(-1), { total: 3, done: 1, running: 0, failed: 1 });
  });

  it("is printed as a line whenever an experiment has ended", () => {
    const out = new RecordedOutput();
    const display = new PlainProgress(out);
    display.overview({ ...OVERVIEW, done: 0, failed: 0 });
    display.overview(OVERVIEW);
    display.overview({ ...OVERVIEW, running: 2 });
    assert.deepEqual(out.lines, [TEXT]);
  });

  it("stays on the terminal as a bar between one task and the next", async () => {
    const out = new RecordedOutput(80);
    const display = new LiveProgress(out);
    display.overview(OVERVIEW);
    display.progress(RUNNING, "Distillation", distilling(10));
    display.task(DISTILL, "Distillation");
    display.overview({ ...OVERVIEW, done: 7 });
    await sleep(REDRAWN_MS);
    const screen = screenAfter(out.text);
    assert.match(screen.at(-1) ?? "", /^Experiments █+░+ +50 % {2}7 of 14 done, 1 running/);
    display.close();
    assert.deepEqual(screenAfter(out.text).length, 1);
  });
});

describe("the events of an experiment", () => {
  it("are shown by their kind, also progress of tasks that only the first event names", () => {
    const out = new RecordedOutput();
    const presenter = new EventPresenter(new PlainProgress(out, () => 0));
    const shown = (taskId: string, kind: Event["kind"]) =>
      presenter.show({ ...Event.create(), taskId, kind });
    shown("", {
      $case: "experiment",
      value: Experiment.fromPartial({ spec: LONG_SPEC, tasks: [RUNNING] }),
    });
    shown(RUNNING.id, { $case: "progress", value: distilling(1) });
    shown("unknown", { $case: "progress", value: distilling(1) });
    shown(RUNNING.id, { $case: "log", value: INFO });
    shown(RUNNING.id, { $case: "metrics", value: { points: [] } });
    shown(RUNNING.id, { $case: "task", value: DISTILL });
    assert.deepEqual(
      out.lines.map((line) => line.slice(0, 20)),
      ["0.1 % of all work, 5", "a line of the worker", "Distillation: kept o"],
    );
  });
});
