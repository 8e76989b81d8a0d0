import { useEffect, useRef, useState } from "preact/hooks";
import { State } from "../../../generated/page/stillhouse/v1/experiment.js";
import { type ExperimentView, experimentView } from "../../model/experiment-view.js";
import { isLive } from "../../model/task-view.js";
import { asServerError } from "../../parts/resource.js";
import { type ExperimentQuery, getExperiment, listExperiments } from "../../server/api.js";
import { reconnections, type ServerError } from "../../server/http.js";
import { token } from "../../server/session.js";

/** More than a screen shows. With all their results, a hundred would be a megabyte. */
const PAGE_SIZE = 50;
/** For experiments that run, and for what is read on demand. */
const LARGE_PAGE_SIZE = 200;
/** How many of the newest are read again, to find new experiments. */
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
 * Experiments that match a query, page by page, kept up to date. Only those that are queued or
 * running and the newest are read again, so that ten thousand experiments cost no more.
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

  // Dependencies: a change of these asks again; the effect does not read them
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

/** Experiments that run or are new, and those that have ended since they were read. */
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

/** Replaces the known experiments and adds the others at one end. */
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
