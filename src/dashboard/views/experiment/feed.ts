import { signal } from "@preact/signals";
import { Event, LogLevel, type LogLine } from "../../../generated/page/stillhouse/v1/experiment.js";
import { type Curve, curvesOf, drawable, type NewPoint, withPoints } from "../../model/curves.js";
import { type ExperimentView, experimentView, withProgress } from "../../model/experiment-view.js";
import { asServerError } from "../../parts/resource.js";
import { getExperiment, getSeries } from "../../server/api.js";
import { follow } from "../../server/event-stream.js";
import type { ServerError } from "../../server/http.js";

export interface LogEntry {
  readonly sequence: number;
  readonly timeMs: number | undefined;
  readonly level: "debug" | "info" | "warning" | "error";
  readonly message: string;
  readonly taskId: string;
}

/** About as many as a chart has pixels; more cannot be distinguished. */
const MAX_POINTS = 1200;
/** Live points are kept up to this number; then all are requested again, thinned out. */
const MAX_LIVE_POINTS = 3 * MAX_POINTS;
const MAX_LOG_ENTRIES = 5000;
/** Points arrive many times per second; the eye follows a few updates. */
const REDRAW_MS = 250;
/** Changes of state arrive in bursts. */
const REFRESH_MS = 100;

/** One experiment, kept up to date by the stream of its events. */
export class ExperimentFeed {
  readonly experiment = signal<ExperimentView | undefined>(undefined);
  readonly error = signal<ServerError | undefined>(undefined);
  readonly curves = signal<readonly Curve[]>([]);
  readonly log = signal<readonly LogEntry[]>([]);
  /** The steps that the curves show; undefined for all. */
  readonly range = signal<readonly [first: number, last: number] | undefined>(undefined);
  readonly #id: string;
  readonly #abort = new AbortController();
  #points: NewPoint[] = [];
  /**
   * Live points since the curves were requested, which the answer may lack; undefined without a
   * request.
   */
  #pointsSinceRequest: NewPoint[] | undefined;
  #redraw: ReturnType<typeof setTimeout> | undefined;
  #refreshing: ReturnType<typeof setTimeout> | undefined;
  #request = 0;

  constructor(id: string) {
    this.#id = id;
    this.#start();
  }

  close(): void {
    this.#abort.abort();
    clearTimeout(this.#redraw);
    clearTimeout(this.#refreshing);
  }

  zoom(range: readonly [first: number, last: number] | undefined): void {
    this.range.value = range;
    this.#loadCurves();
  }

  /** Requests everything again: after an action, and when a lost connection is back. */
  refresh(): Promise<void> {
    this.#loadCurves();
    return this.#readExperiment();
  }

  async #readExperiment(): Promise<void> {
    try {
      this.experiment.value = experimentView(await getExperiment(this.#id, this.#abort.signal));
      this.error.value = undefined;
    } catch (error) {
      this.#failed(error);
    }
  }

  /** After a cancelled experiment was resumed its stream, which has ended, starts again. */
  restart(): void {
    this.log.value = [];
    this.#start();
  }

  #start(): void {
    this.#readExperiment();
    follow(`experiments/${encodeURIComponent(this.#id)}/events`, this.#abort.signal, {
      // Only now: otherwise a point between the answer and the start of the stream would be
      // missing.
      onConnect: () => this.refresh(),
      // A slow page is not sent every point.
      onEnd: () => this.#loadCurves(),
      onMessage: ({ data }) => this.#take(Event.fromJSON(JSON.parse(data))),
      onError: (error) => this.#failed(error),
    });
  }

  #take(event: Event): void {
    const { taskId, sequence, kind } = event;
    const current = this.experiment.value;
    switch (kind?.$case) {
      case "experiment":
        // A stored event holds an earlier state, and all of them are replayed at the start of a
        // stream.
        if (sequence === 0) this.experiment.value = experimentView(kind.value);
        else this.#refreshSoon();
        break;
      case "task":
        this.#refreshSoon();
        break;
      case "progress":
        if (current) this.experiment.value = withProgress(current, taskId, kind.value);
        break;
      case "log":
        this.#addLog(logEntry(event, kind.value));
        break;
      case "metrics":
        for (const { name, step, value } of kind.value.points) {
          this.#points.push({ taskId, name, step, value: drawable(value) });
        }
        this.#redraw ??= setTimeout(() => this.#addPoints(), REDRAW_MS);
    }
  }

  #refreshSoon(): void {
    this.#refreshing ??= setTimeout(() => {
      this.#refreshing = undefined;
      this.#readExperiment();
    }, REFRESH_MS);
  }

  #addLog(entry: LogEntry): void {
    const entries = this.log.value;
    // A resumed stream may begin with an entry that was already seen.
    if (entry.sequence !== 0 && entries.some(({ sequence }) => sequence === entry.sequence)) return;
    this.log.value = [...entries, entry].slice(-MAX_LOG_ENTRIES);
  }

  #addPoints(): void {
    this.#redraw = undefined;
    const points = this.#points;
    this.#points = [];
    // Within a chosen range only the server has every point.
    if (this.range.value !== undefined) return;
    this.#pointsSinceRequest?.push(...points);
    this.curves.value = withPoints(this.curves.value, points);
    // Only the server can describe a new curve; the answer to a pending request may do so.
    const isAwaited = this.#pointsSinceRequest !== undefined;
    const isNew = !isAwaited && this.curves.value.some(({ descriptor }) => !descriptor);
    const isLong = this.curves.value.some(({ steps }) => steps.length > MAX_LIVE_POINTS);
    if (isNew || isLong) this.#loadCurves();
  }

  async #loadCurves(): Promise<void> {
    const request = ++this.#request;
    this.#pointsSinceRequest = [];
    const [firstStep, lastStep] = this.range.value ?? [];
    const query = { maxPoints: MAX_POINTS, firstStep, lastStep };
    try {
      const { series } = await getSeries(this.#id, query, this.#abort.signal);
      // An answer to an older request would undo that to a newer one.
      if (request !== this.#request) return;
      this.curves.value = withPoints(curvesOf(series), this.#pointsSinceRequest ?? []);
      this.#pointsSinceRequest = undefined;
    } catch (error) {
      this.#failed(error);
    }
  }

  #failed(error: unknown): void {
    if (this.#abort.signal.aborted) return;
    this.error.value = asServerError(error);
  }
}

const LEVELS: Readonly<Record<LogLevel, LogEntry["level"]>> = {
  [LogLevel.UNSPECIFIED]: "info",
  [LogLevel.DEBUG]: "debug",
  [LogLevel.INFO]: "info",
  [LogLevel.WARNING]: "warning",
  [LogLevel.ERROR]: "error",
  [LogLevel.UNRECOGNIZED]: "info",
};

function logEntry({ sequence, taskId, time }: Event, line: LogLine): LogEntry {
  const { level, message } = line;
  const timeMs = (line.time ?? time)?.getTime();
  return { sequence, timeMs, level: LEVELS[level], message, taskId };
}
