import { useState } from "preact/hooks";
import type { ReplayView } from "../../../results/replay-view.js";
import { INTERVAL_RULE, type Summary } from "../../../statistics.js";
import {
  formatBetween,
  formatBytes,
  formatCount,
  formatGainRange,
  formatMeanStd,
  formatPercent,
} from "../../../text/format.js";
import { type Line, LineChart } from "../../charts/line-chart.js";
import type { MemoryView } from "../../model/experiment-view.js";
import { ColumnHeads } from "../../parts/column-heads.js";
import { Figure } from "../../parts/figure.js";
import { NearViewport } from "../../parts/near-viewport.js";
import { ScrollTable } from "../../parts/scroll.js";
import { DistilledSection } from "./distilled-section.js";

const NUMBERS = [
  "Samples",
  "Bytes",
  "Accuracy %",
  "Between seeds",
  "Forgetting",
  "Transfer",
  "Gain over simple",
  "Gain between seeds",
  "Learners",
] as const;
const CHART_HEIGHT = 220;

/** What learners reach and forget with each kind of memory. */
export function ReplayResults({ views }: { readonly views: readonly ReplayView[] }) {
  return (
    <>
      <ScrollTable label="Accuracy by memory" class="table">
        <ColumnHeads words={["Memory"]} numbers={NUMBERS} />
        <tbody>
          {views.map((view) => (
            <Method key={view.id} view={view} />
          ))}
        </tbody>
      </ScrollTable>
      <p class="muted">
        Accuracy is the mean over all tasks at the end, ± between learners. Forgetting is how far
        the accuracy on a task falls from its highest, transfer the way from right after the task to
        the end. Gains are of learners that start alike, with 95 % intervals ({INTERVAL_RULE}).
      </p>
      <div class="chart-grid">
        <CurveOverTasks views={views} />
      </div>
      <Matrices views={views} />
    </>
  );
}

function Method({ view }: { readonly view: ReplayView }) {
  const { gain, gainOfSeeds } = view;
  return (
    <tr class={view.id === "distilled" ? "highlight" : ""}>
      <th scope="row">{view.label}</th>
      <td class="end numeric">{formatCount(view.memorySamples)}</td>
      <td class="end numeric">{formatBytes(Math.round(view.memoryBytes))}</td>
      <td class="end numeric strong">{spread(view.accuracy)}</td>
      <td class="end numeric">{formatBetween(view.accuracyOfSeeds.std)}</td>
      <td class="end numeric">{spread(view.forgetting)}</td>
      <td class="end numeric">{spread(view.backwardTransfer)}</td>
      <td class="end numeric">{gain === null ? "" : formatGainRange(gain)}</td>
      <td class="end numeric">{gainOfSeeds === null ? "" : formatGainRange(gainOfSeeds)}</td>
      <td class="end numeric">{view.accuracy.n}</td>
    </tr>
  );
}

function CurveOverTasks({ views }: { readonly views: readonly ReplayView[] }) {
  const lines = views.map(({ label, curve }): Line => {
    const steps = curve.map((_, at) => at + 1);
    return { label, steps, values: curve.map(({ mean }) => mean), hasDots: true };
  });
  const numTasks = Math.max(0, ...views.map(({ curve }) => curve.length));
  const ends = views.map(({ label, accuracy }) => `${label}: ${spread(accuracy)} %`);
  return (
    <Figure
      class="wide"
      title="Mean accuracy over the tasks so far, %"
      summary="After each task, over all learners."
      table={() => ({
        head: ["after task", ...views.map(({ label }) => label)],
        rows: numbers(numTasks).map((task) => [
          task,
          ...views.map(({ curve }) => cellOf(curve[task - 1])),
        ]),
      })}
    >
      <NearViewport minHeight={CHART_HEIGHT}>
        {() => (
          <LineChart
            lines={lines}
            description={`Mean accuracy after the last task. ${ends.join("; ")}`}
            format={(value) => formatPercent(value)}
            isPercent
            xLabel="task"
          />
        )}
      </NearViewport>
    </Figure>
  );
}

/** The accuracy on each task after each task, of one method at a time. */
function Matrices({ views }: { readonly views: readonly ReplayView[] }) {
  const [chosen, setChosen] = useState(0);
  const view = views[Math.min(chosen, views.length - 1)];
  if (view === undefined) return null;
  const tasks = numbers(view.matrix.length);
  return (
    <>
      <fieldset class="sample-choice">
        <legend>Accuracy % on each task, after each task</legend>
        {views.map(({ id, label }, at) => (
          <label key={id} class="choice">
            <input
              type="radio"
              name="matrix"
              checked={views[at] === view}
              onChange={() => setChosen(at)}
            />
            {label}
          </label>
        ))}
      </fieldset>
      <ScrollTable label={`Accuracy on each task, ${view.label}`} class="table compact">
        <ColumnHeads words={["After"]} numbers={tasks.map((task) => `On task ${task}`)} />
        <tbody>
          {view.matrix.map((row, at) => (
            <tr key={at}>
              <th scope="row">task {at + 1}</th>
              {tasks.map((task) => (
                <td key={task} class="end numeric">
                  {cellOf(row[task - 1])}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </ScrollTable>
    </>
  );
}

/** The samples of one distilled memory at a time. */
export function Memories({ memories }: { readonly memories: readonly MemoryView[] }) {
  const [chosen, setChosen] = useState(0);
  const memory = memories[chosen];
  return (
    <>
      <label>
        Memory{" "}
        <select
          value={String(chosen)}
          onChange={({ currentTarget }) => setChosen(Number(currentTarget.value))}
        >
          {memories.map(({ artifactId, title }, at) => (
            <option key={artifactId} value={String(at)}>
              {title}
            </option>
          ))}
        </select>
      </label>
      {memory === undefined ? null : (
        <DistilledSection key={memory.artifactId} artifactId={memory.artifactId} />
      )}
    </>
  );
}

function cellOf(value: Summary | undefined): string {
  return value === undefined ? "" : spread(value);
}

function spread({ mean, std }: Summary): string {
  return formatMeanStd(mean, std);
}

function numbers(count: number): number[] {
  return Array.from({ length: count }, (_, at) => at + 1);
}
