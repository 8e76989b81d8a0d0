import { useEffect, useMemo } from "preact/hooks";
import { useRoute } from "preact-iso";
import {
  asSentence,
  formatCount,
  formatDuration,
  formatMeanStd,
  formatPercent,
  formatValue,
} from "../../../text/format.js";
import { type ExperimentView, ratioNote } from "../../model/experiment-view.js";
import { isLive, type TaskView } from "../../model/task-view.js";
import { NearViewport } from "../../parts/near-viewport.js";
import { Problem } from "../../parts/notice.js";
import { ProgressBar } from "../../parts/progress-bar.js";
import { ScrollText } from "../../parts/scroll.js";
import { StateBadge } from "../../parts/state-badge.js";
import { usePageTitle } from "../../parts/title.js";
import { reconnections } from "../../server/http.js";
import { token } from "../../server/session.js";
import { Actions } from "./actions.js";
import { CurvesSection } from "./curves-section.js";
import { DistilledSection } from "./distilled-section.js";
import { ExperimentFeed } from "./feed.js";
import { FilesSection } from "./files-section.js";
import { LogSection } from "./log-section.js";
import { ResultsSection } from "./results-section.js";
import { SourceLink } from "./source-link.js";
import { SpecSection } from "./spec-section.js";

/** One experiment: what it comes to, how it gets there, and all that belongs to it. */
export function ExperimentPage() {
  const { params } = useRoute();
  const id = params.id ?? "";
  const credentials = token.value;
  // Dependencies: another token may see what this one may not
  const feed = useMemo(() => new ExperimentFeed(id), [id, credentials]);
  useEffect(() => () => feed.close(), [feed]);
  const connection = reconnections.value;
  // Dependencies: after each reconnection
  useEffect(() => {
    if (connection > 0) feed.refresh();
  }, [connection]);
  const view = feed.experiment.value;
  usePageTitle(view?.title ?? id);

  if (view === undefined) {
    return (
      <div class="page">
        <h1>{id}</h1>
        <Problem error={feed.error.value} />
        {feed.error.value === undefined ? <p class="muted">Loading …</p> : null}
      </div>
    );
  }
  return (
    <div class="page">
      <div class="page-head">
        <div>
          <p class="muted over-title">
            <a href="/">Experiments</a> / <code>{view.id}</code>
            {view.sweepId === "" ? null : (
              <>
                {" · "}
                <a href={`/sweeps/${view.sweepId}`}>its sweep</a>
              </>
            )}
          </p>
          <h1>
            {view.title} <StateBadge state={view.state} />
          </h1>
          <p class="muted">
            {view.name === "" ? "" : `${view.subject} · `}
            {view.dataset} · {view.model} · seed {view.seed}
            {view.spec.robustness ? (
              <>
                {" · of artifact "}
                <SourceLink artifactId={view.artifactId} />
              </>
            ) : null}
          </p>
        </div>
        <Actions view={view} feed={feed} />
      </div>
      {view.failure === undefined ? null : (
        <div class="notice notice-problem" role="alert">
          <p>{asSentence(view.failure.message)}</p>
          {view.failure.traceback === "" ? null : (
            <details>
              <summary>Traceback</summary>
              <ScrollText>{view.failure.traceback}</ScrollText>
            </details>
          )}
        </div>
      )}
      <KeyFigures view={view} />
      {view.state === "succeeded" ? null : <Tasks tasks={view.tasks} />}
      <SectionLinks hasArtifact={view.distilled !== undefined} />
      <ResultsSection view={view} />
      <CurvesSection feed={feed} />
      {view.distilled === undefined ? null : (
        <section aria-labelledby="distilled-title" class="section">
          <h2 id="distilled-title">Distilled data</h2>
          <NearViewport minHeight={400}>
            {() => <DistilledSection artifactId={view.distilled?.artifactId ?? ""} />}
          </NearViewport>
        </section>
      )}
      <SpecSection view={view} />
      <LogSection entries={feed.log.value} tasks={view.tasks} />
      <FilesSection view={view} />
    </div>
  );
}

const SECTIONS = [
  ["results-title", "Results"],
  ["curves-title", "Curves"],
  ["distilled-title", "Distilled data"],
  ["settings-title", "Settings"],
  ["log-title", "Log"],
  ["files-title", "Files"],
] as const;

function SectionLinks({ hasArtifact }: { readonly hasArtifact: boolean }) {
  return (
    <nav class="section-links" aria-label="On this page">
      {SECTIONS.filter(([id]) => hasArtifact || id !== "distilled-title").map(([id, text]) => (
        <a key={id} href={`#${id}`}>
          {text}
        </a>
      ))}
    </nav>
  );
}

function KeyFigures({ view }: { readonly view: ExperimentView }) {
  const { accuracy, ratioToFull, distilled, running } = view;
  const { tookS, secondsLeft } = view;
  const interval = accuracy?.interval95;
  const figures: [name: string, value: string, note: string][] = [
    [
      "Test accuracy",
      accuracy ? `${formatMeanStd(accuracy.mean, accuracy.std ?? undefined)} %` : "–",
      interval
        ? `95 % interval ${formatPercent(interval[0], 2)} to ${formatPercent(interval[1], 2)}, ${accuracy.n} learners`
        : accuracy
          ? `${accuracy.n} ${accuracy.n === 1 ? "learner" : "learners"}, too few for a 95 % interval`
          : "Of learners trained on the distilled data",
    ],
    [
      "Of full data",
      ratioToFull === undefined ? "–" : `${formatPercent(ratioToFull)} %`,
      ratioNote(view),
    ],
    [
      "Validation",
      distilled?.validationAccuracy === undefined
        ? percentOrDash(running?.progress?.values.validation_accuracy)
        : `${formatPercent(distilled.validationAccuracy)} %`,
      distilled === undefined
        ? "latest"
        : `Kept outer step ${formatCount(distilled.keptStep)} of ${formatCount(distilled.outerSteps)}`,
    ],
    isLive(view)
      ? [
          "Time left",
          secondsLeft ? formatDuration(secondsLeft) : "–",
          running ? `Of all tasks, ${formatPercent(view.share, 0)} % done` : "Waiting for a worker",
        ]
      : ["Took", tookS === undefined ? "–" : formatDuration(tookS), tookNote(view)],
  ];
  return (
    <dl class="key-figures">
      {figures.map(([name, value, note]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>
            <span class="key-value">{value}</span>
            <span class="muted key-note">{note}</span>
          </dd>
        </div>
      ))}
    </dl>
  );
}

function percentOrDash(fraction: number | undefined): string {
  return fraction === undefined ? "–" : `${formatPercent(fraction)} %`;
}

function tookNote({ tasks, distilled }: ExperimentView): string {
  const numReused = tasks.filter(({ reused }) => reused).length;
  if (numReused > 0) return `${numReused} of ${tasks.length} tasks taken from earlier runs`;
  const rate = distilled?.stepsPerSecond;
  return rate ? `of computing, ${formatValue(rate)} outer steps per second` : "of computing";
}

function Tasks({ tasks }: { readonly tasks: readonly TaskView[] }) {
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
