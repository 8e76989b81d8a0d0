import { useEffect, useRef, useState } from "preact/hooks";
import { State } from "../../../generated/page/stillhouse/v1/experiment.js";
import { type ExperimentView, experimentView } from "../../model/experiment-view.js";
import { isLive } from "../../model/task-view.js";
import { asServerError } from "../../parts/resource.js";
import { type ExperimentQuery, getExperiment, listExperiments } from "../../server/api.js";
import { reconnections, type ServerError } from "../../server/http.js";
import { token } from "../../server/session.js";

/** More than a screen shows: with all results of each, a hundred would be a megabyte. */
const PAGE_SIZE = 50;
/** Of those that live, and of what is read on demand. */
const LARGE_PAGE_SIZE = 200;
/** The newest are looked at for experiments that have just come. */
const NUM_NEWEST = 20;
const POLL_MS = 2000;
const LIVE_STATES = [State.QUEUED, State.RUNNING];

export interface ExperimentList {
  /** Undefined before the first answer. */
  readonly views: readonly ExperimentView[] | undefined;
  readonly hasMore: boolean;
  readonly isLoading: boolean;
  readonly error: ServerError | undefined;
  readonly loadMore: () => void;
}

/**
 * Experiments that fit a query, page by page, kept up to date: of those that were read only what
 * is queued or running is asked for again, and the newest, so that ten thousand cost no more.
 */
export function useExperiments(query: ExperimentQuery): ExperimentList {
  const key = JSON.stringify(query);
  const [views, setViews] = useState<readonly ExperimentView[]>();
  const [pageToken, setPageToken] = useState("");
  const [error, setError] = useState<ServerError>();
  const [isLoading, setIsLoading] = useState(true);
  const current = useRef({ key, views, query });
  current.current = { key, views, query };
  const connection = reconnections.value;
  const credentials = token.value;

  const load = async (token: string, signal?: AbortSignal) => {
    setIsLoading(true);
    try {
      const pageSize = token === "" ? PAGE_SIZE : LARGE_PAGE_SIZE;
      const page = await listExperiments({ ...query, pageSize, pageToken: token }, signal);
      if (current.current.key !== key) return;
      const read = page.experiments.map(experimentView);
      setViews((old = []) => (token === "" ? read : merged(old, read, "end")));
      setPageToken(page.nextPageToken);
      setError(undefined);
    } catch (failed) {
      if (!signal?.aborted) setError(asServerError(failed));
    }
    setIsLoading(false);
  };

  const refresh = async (signal: AbortSignal) => {
    const { query, views: known } = current.current;
    if (known === undefined) return;
    const fresh = await changed(query, known, signal);
    if (signal.aborted || fresh.length === 0) return;
    setViews((old = []) => merged(old, fresh, "start"));
  };

  // Dependencies: these ask again, they are not read
  useEffect(() => {
    const abort = new AbortController();
    load("", abort.signal);
    const timer = setInterval(() => {
      if (!document.hidden) refresh(abort.signal).catch(() => undefined);
    }, POLL_MS);
    return () => {
      abort.abort();
      clearInterval(timer);
    };
  }, [key, connection, credentials]);

  return { views, hasMore: pageToken !== "", isLoading, error, loadMore: () => load(pageToken) };
}

/** What is live or new, and what has ended since it was read. */
async function changed(
  query: ExperimentQuery,
  known: readonly ExperimentView[],
  signal: AbortSignal,
): Promise<ExperimentView[]> {
  const { order: _, ...filter } = query;
  const wantsLive =
    !query.states?.length || query.states.some((name) => LIVE_STATES.includes(name));
  const [live, newest] = await Promise.all([
    wantsLive
      ? listExperiments(
          {
            ...filter,
            states: query.states?.length ? query.states : LIVE_STATES,
            pageSize: LARGE_PAGE_SIZE,
          },
          signal,
        )
      : { experiments: [] },
    listExperiments({ ...filter, pageSize: NUM_NEWEST }, signal),
  ]);
  const fresh = [...live.experiments, ...newest.experiments].map(experimentView);
  const seen = new Set(fresh.map(({ id }) => id));
  const ended = known.filter((view) => isLive(view) && !seen.has(view.id)).slice(0, NUM_NEWEST);
  const answers = await Promise.all(
    ended.map(({ id }) => getExperiment(id, signal).then(experimentView, () => undefined)),
  );
  return [...fresh, ...answers.filter((view) => view !== undefined)];
}

/** Replaces those that are known; the others go to one end. */
function merged(
  old: readonly ExperimentView[],
  fresh: readonly ExperimentView[],
  end: "start" | "end",
): ExperimentView[] {
  const byId = new Map(fresh.map((view) => [view.id, view]));
  const kept = old.map((view) => byId.get(view.id) ?? view);
  const known = new Set(old.map(({ id }) => id));
  const added = [...byId.values()].filter(({ id }) => !known.has(id));
  return end === "end" ? [...kept, ...added] : [...added, ...kept];
}
