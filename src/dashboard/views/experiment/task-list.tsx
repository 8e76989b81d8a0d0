import { asSentence, formatCount } from "../../../text/format.js";
import type { TaskView } from "../../model/task-view.js";
import { ProgressBar } from "../../parts/progress-bar.js";
import { StateBadge } from "../../parts/state-badge.js";

/** The tasks of an experiment with their states and progress. */
export function TaskList({ tasks }: { readonly tasks: readonly TaskView[] }) {
  return (
    <ol class="tasks" aria-label="Tasks">
      {tasks.map((task) => (
        <li key={task.id}>
          <span class="task-name">{task.name}</span>
          <StateBadge state={task.state} />
          {task.state === "running" ? (
            <ProgressBar share={shareOf(task)} label={task.name} />
          ) : (
            <span />
          )}
          <span class="muted numeric">{progressText(task)}</span>
        </li>
      ))}
    </ol>
  );
}

function shareOf({ progress }: TaskView): number {
  return progress?.total ? progress.done / progress.total : 0;
}

function progressText({ state, progress, failure, reused, attempt }: TaskView): string {
  if (failure) return asSentence(failure.message);
  if (reused) return "Taken from an earlier run";
  if (state !== "running" || progress === undefined) return "";
  const again = attempt > 1 ? ` · attempt ${attempt}` : "";
  const count = progress.total
    ? ` ${formatCount(progress.done)} of ${formatCount(progress.total)}`
    : "";
  return `${progress.stage}${count}${again}`;
}
