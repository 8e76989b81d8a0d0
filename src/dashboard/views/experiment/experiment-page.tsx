import { useEffect, useMemo } from "preact/hooks";
import { useRoute } from "preact-iso";
import type { Failure } from "../../../generated/page/stillhouse/v1/failure.js";
import { asSentence } from "../../../text/format.js";
import type { ExperimentView } from "../../model/experiment-view.js";
import { NearViewport } from "../../parts/near-viewport.js";
import { Problem } from "../../parts/notice.js";
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
import { KeyFigures } from "./key-figures.js";
import { LogSection } from "./log-section.js";
import { Memories } from "./replay-results.js";
import { ResultsSection } from "./results-section.js";
import { SourceLink } from "./source-link.js";
import { SpecSection } from "./spec-section.js";
import { TaskList } from "./task-list.js";

/** One experiment: its results, its curves and distilled data, its settings, log and files. */
export function ExperimentPage() {
  const { params } = useRoute();
  const id = params.id ?? "";
  const feed = useFeed(id);
  const view = feed.experiment.value;
  usePageTitle(view?.title ?? id);
  if (view !== undefined) return <Experiment view={view} feed={feed} />;
  return (
    <div class="page">
      <h1>{id}</h1>
      <Problem error={feed.error.value} />
      {feed.error.value === undefined ? <p class="muted">Loading …</p> : null}
    </div>
  );
}

function useFeed(id: string): ExperimentFeed {
  const credentials = token.value;
  // Dependencies: another token may see what this one may not
  const feed = useMemo(() => new ExperimentFeed(id), [id, credentials]);
  useEffect(() => () => feed.close(), [feed]);
  const connection = reconnections.value;
  // Dependencies: after each reconnection
  useEffect(() => {
    if (connection > 0) feed.refresh();
  }, [connection]);
  return feed;
}

interface ExperimentProps {
  readonly view: ExperimentView;
  readonly feed: ExperimentFeed;
}

function Experiment({ view, feed }: ExperimentProps) {
  const { failure, distilled, memories, tasks } = view;
  return (
    <div class="page">
      <div class="page-head">
        <Heading view={view} />
        <Actions view={view} feed={feed} />
      </div>
      {failure === undefined ? null : <FailureNotice failure={failure} />}
      {view.isAttack ? <AttackNotice what={view.objective} /> : null}
      <KeyFigures view={view} />
      {view.state === "succeeded" ? null : <TaskList tasks={tasks} />}
      <SectionLinks hasArtifact={distilled !== undefined || memories.length > 0} />
      <ResultsSection view={view} />
      <CurvesSection feed={feed} />
      {distilled === undefined ? null : (
        <section aria-labelledby="distilled-title" class="section">
          <h2 id="distilled-title">Distilled data</h2>
          <NearViewport minHeight={400}>
            {() => <DistilledSection artifactId={distilled.artifactId} />}
          </NearViewport>
        </section>
      )}
      {memories.length === 0 ? null : (
        <section aria-labelledby="distilled-title" class="section">
          <h2 id="distilled-title">Distilled data</h2>
          <NearViewport minHeight={400}>{() => <Memories memories={memories} />}</NearViewport>
        </section>
      )}
      <SpecSection view={view} />
      <LogSection entries={feed.log.value} tasks={tasks} />
      <FilesSection view={view} />
    </div>
  );
}

/** Its title, its sweep, its data set and its model. */
function Heading({ view }: { readonly view: ExperimentView }) {
  return (
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
        {view.objective === "" || view.name === "" ? "" : ` · ${view.objective}`}
        {view.spec.robustness ? (
          <>
            {" · artifact "}
            <SourceLink artifactId={view.artifactId} />
          </>
        ) : null}
      </p>
    </div>
  );
}

function AttackNotice({ what }: { readonly what: string }) {
  return (
    <p class="notice notice-problem">
      The distilled data of this experiment is an attack: a trained learner that takes a step on it
      makes a mistake on purpose. {what}.
    </p>
  );
}

function FailureNotice({ failure: { message, traceback } }: { readonly failure: Failure }) {
  return (
    <div class="notice notice-problem" role="alert">
      <p>{asSentence(message)}</p>
      {traceback === "" ? null : (
        <details>
          <summary>Traceback</summary>
          <ScrollText>{traceback}</ScrollText>
        </details>
      )}
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
