import type { Writable } from "node:stream";
import { MultiBar, type Options, type Params, Presets, type SingleBar } from "cli-progress";
import {
  LogLevel,
  type LogLine,
  type Progress,
  type Task,
} from "../../generated/stillhouse/v1/experiment.js";
import type { WorkProgress } from "../../results/work-progress.js";
import { printable } from "../../text/printable.js";
import { type GroupOverview, overviewText } from "./group-overview.js";
import type { ProgressDisplay } from "./progress-display.js";
import {
  joinParts,
  leftText,
  type ProgressPart,
  progressFraction,
  progressParts,
  taskEndText,
} from "./progress-text.js";

const UPDATES_PER_SECOND = 5;
const MAX_BAR_COLUMNS = 30;
const MIN_BAR_COLUMNS = 8;
/** Between the parts of a line, and one at its end: a full line would wrap. */
const SPACES = 5;
/** Bars have no steps of their own: they show a fraction in this many parts. */
const PARTS = 10_000;
/** Clears what is left of an older and longer line. */
const CLEAR_REST = "\u001b[K";

interface BarPayload {
  readonly name: string;
  readonly parts: readonly ProgressPart[];
}

/** Progress as a bar for the whole and for each running task, with everything else above the bars. */
export class LiveProgress implements ProgressDisplay {
  readonly #out: Writable;
  /** By the id of a task, or the name of work. */
  readonly #bars = new Map<string, SingleBar>();
  #multiBar: MultiBar | undefined;
  /** That of the experiment, or of a group of experiments. */
  #wholeBar: SingleBar | undefined;
  #whole: WorkProgress | undefined;

  /** @param out a terminal. */
  constructor(out: Writable) {
    this.#out = out;
  }

  task(task: Task, name: string): void {
    const sentence = taskEndText(task, name);
    if (sentence === undefined) return;
    this.#remove(task.id);
    this.note(sentence);
  }

  progress(task: Task, name: string, progress: Progress): void {
    const payload = { name, parts: progressParts(progress, this.#whole) };
    this.#show(task.id, progressFraction(progress) ?? 0, payload);
  }

  work(name: string, done: number, total: number): void {
    const parts = [{ text: `${done} of ${total}`, importance: 1 }];
    if (done === total) this.#remove(name);
    else this.#show(name, done / total, { name, parts });
  }

  whole(progress: WorkProgress): void {
    this.#whole = progress;
    this.#showWhole(progress.share, "Experiment", leftText(progress.secondsLeft));
  }

  overview(overview: GroupOverview): void {
    this.#showWhole(overview.done / overview.total, "Experiments", overviewText(overview));
  }

  log(line: LogLine): void {
    if (line.level !== LogLevel.DEBUG) this.note(line.message);
  }

  note(sentence: string): void {
    const line = printable(sentence);
    if (this.#multiBar === undefined) this.#out.write(`${line}\n`);
    else this.#multiBar.log(`${line}${CLEAR_REST}\n`);
  }

  close(): void {
    this.#multiBar?.update(); // writes the lines that wait for the next redraw
    this.#multiBar?.stop();
    this.#multiBar = undefined;
    this.#bars.clear();
    this.#wholeBar = undefined;
    this.#whole = undefined;
  }

  #showWhole(fraction: number, name: string, text: string): void {
    const value = Math.round(fraction * PARTS);
    const payload = { name, parts: [{ text, importance: 1 }] };
    if (this.#wholeBar !== undefined) {
      this.#wholeBar.update(value, payload);
      return;
    }
    this.#multiBar ??= createMultiBar(this.#out);
    this.#wholeBar = this.#multiBar.create(PARTS, value, payload);
  }

  #show(id: string, fraction: number, payload: BarPayload): void {
    const value = Math.round(fraction * PARTS);
    const bar = this.#bars.get(id);
    if (bar !== undefined) {
      bar.update(value, payload);
      return;
    }
    this.#multiBar ??= createMultiBar(this.#out);
    this.#bars.set(id, this.#multiBar.create(PARTS, value, payload));
  }

  #remove(id: string): void {
    const bar = this.#bars.get(id);
    if (bar === undefined) return;
    this.#bars.delete(id);
    bar.stop();
    this.#multiBar?.remove(bar);
    if (this.#bars.size === 0 && this.#wholeBar === undefined) this.close();
  }
}

function createMultiBar(stream: Writable): MultiBar {
  return new MultiBar(
    {
      stream,
      fps: UPDATES_PER_SECOND,
      format: formatBar,
      barsize: MAX_BAR_COLUMNS,
      clearOnComplete: true,
      // A line above the bars moves them down, also those that have not changed.
      forceRedraw: true,
      hideCursor: true,
      // Lines above the bar may be long; a bar is cut at the edge instead.
      linewrap: true,
      // Signals are handled in one place, which also puts the terminal in order.
      gracefulExit: false,
    },
    Presets.shades_classic,
  );
}

/** The name, a bar, percent, and as much of the rest as there is room for. */
function formatBar(
  { barCompleteString = "", barIncompleteString = "" }: Options,
  { progress, maxWidth }: Params,
  payload: unknown,
): string {
  const { name, parts } = payload as BarPayload;
  const title = printable(name);
  const percent = `${Math.floor(progress * 100)} %`.padStart(5);
  const room = maxWidth - title.length - percent.length - SPACES;
  const text = printable(joinParts(parts, room - MIN_BAR_COLUMNS));
  const columns = Math.max(MIN_BAR_COLUMNS, Math.min(MAX_BAR_COLUMNS, room - text.length));
  const done = Math.round(progress * columns);
  const bar = barCompleteString.slice(0, done) + barIncompleteString.slice(0, columns - done);
  return `${title} ${bar} ${percent}  ${text}`;
}
