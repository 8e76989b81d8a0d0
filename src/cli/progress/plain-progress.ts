import type { Writable } from "node:stream";
import {
  LogLevel,
  type LogLine,
  type Progress,
  type Task,
} from "../../generated/stillhouse/v1/experiment.js";
import type { WorkProgress } from "../../results/work-progress.js";
import { formatPercent } from "../../text/format.js";
import { printable } from "../../text/printable.js";
import { type GroupOverview, overviewText } from "./group-overview.js";
import type { ProgressDisplay } from "./progress-display.js";
import {
  joinParts,
  leftText,
  progressFraction,
  progressParts,
  taskEndText,
} from "./progress-text.js";

/** Seldom enough that the log of a long run stays readable. */
const LINE_INTERVAL_MS = 10_000;

/**
 * Progress as lines, for files, pipes and logs: one when a stage begins, then one in ten seconds,
 * and an overview of a group whenever one of it has ended.
 *
 * @param nowMs a clock that never goes back.
 */
export class PlainProgress implements ProgressDisplay {
  readonly #out: Writable;
  readonly #nowMs: () => number;
  #numEnded = 0;
  #whole: WorkProgress | undefined;
  readonly #shown = new Map<string, { stage: string; timeMs: number }>();

  constructor(out: Writable, nowMs: () => number = () => performance.now()) {
    this.#out = out;
    this.#nowMs = nowMs;
  }

  task(task: Task, name: string): void {
    const sentence = taskEndText(task, name);
    if (sentence === undefined) return;
    this.#shown.delete(task.id);
    this.note(sentence);
  }

  progress(task: Task, name: string, progress: Progress): void {
    if (!this.#isDue(task.id, progress.stage)) return;
    const text = joinParts(progressParts(progress, this.#whole));
    if (this.#whole !== undefined) {
      this.note(`${wholeText(this.#whole)}; ${name}: ${text}`);
      return;
    }
    const fraction = progressFraction(progress);
    const percent = fraction === undefined ? "" : ` ${formatPercent(fraction)} %,`;
    this.note(`${name}:${percent} ${text}`);
  }

  whole(progress: WorkProgress): void {
    this.#whole = progress;
  }

  log(line: LogLine): void {
    if (line.level !== LogLevel.DEBUG) this.note(line.message);
  }

  overview(overview: GroupOverview): void {
    const numEnded = overview.done + overview.failed;
    if (numEnded === this.#numEnded) return;
    this.#numEnded = numEnded;
    this.note(overviewText(overview));
  }

  work(name: string, done: number, total: number): void {
    if (done === total) this.#shown.delete(name);
    else if (this.#isDue(name, "")) this.note(`${name}: ${done} of ${total}`);
  }

  #isDue(id: string, stage: string): boolean {
    const last = this.#shown.get(id);
    const timeMs = this.#nowMs();
    const isLate = last === undefined || timeMs - last.timeMs >= LINE_INTERVAL_MS;
    if (!isLate && last.stage === stage) return false;
    this.#shown.set(id, { stage, timeMs });
    return true;
  }

  note(sentence: string): void {
    this.#out.write(`${printable(sentence)}\n`);
  }

  close(): void {
    this.#shown.clear();
    this.#whole = undefined;
  }
}

/** "12.5 % of all work, 2 h 5 min left". */
function wholeText({ share, secondsLeft }: WorkProgress): string {
  const left = leftText(secondsLeft);
  return `${formatPercent(share)} % of all work${left && `, ${left}`}`;
}
