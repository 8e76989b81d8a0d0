import { useState } from "preact/hooks";
import type { TaskView } from "../../model/task-view.js";
import { Empty } from "../../parts/notice.js";
import type { LogEntry } from "./feed.js";

export interface LogSectionProps {
  readonly entries: readonly LogEntry[];
  readonly tasks: readonly TaskView[];
}

const LEVELS = ["debug", "info", "warning", "error"];

export function LogSection({ entries, tasks }: LogSectionProps) {
  const [least, setLeast] = useState("info");
  const names = new Map(tasks.map(({ id, name }) => [id, name]));
  const shown = entries.filter(({ level }) => LEVELS.indexOf(level) >= LEVELS.indexOf(least));
  return (
    <section aria-labelledby="log-title" class="section">
      <div class="section-head">
        <h2 id="log-title">Log</h2>
        <label class="quiet-select">
          From level{" "}
          <select value={least} onChange={({ currentTarget }) => setLeast(currentTarget.value)}>
            {LEVELS.map((level) => (
              <option key={level}>{level}</option>
            ))}
          </select>
        </label>
      </div>
      {shown.length === 0 ? (
        <Empty>No log lines.</Empty>
      ) : (
        // biome-ignore lint/a11y/noNoninteractiveTabindex: the keyboard must reach it to scroll it
        <div class="log scroll" role="log" tabIndex={0} aria-labelledby="log-title">
          {shown.map(({ sequence, timeMs, level, message, taskId }) => (
            <p key={sequence} class={`log-${level}`}>
              <time>{timeMs === undefined ? "" : new Date(timeMs).toLocaleTimeString()}</time>
              <span class="log-task">{names.get(taskId) ?? ""}</span>
              <span>
                {level === "info" ? "" : `${level}: `}
                {message}
              </span>
            </p>
          ))}
        </div>
      )}
    </section>
  );
}
