import { useEffect, useRef, useState } from "preact/hooks";
import { reconnections, ServerError } from "../server/http.js";
import { token } from "../server/session.js";

export interface Resource<T> {
  /** The last answer; it stays while a newer one is requested, and when that request fails. */
  readonly data: T | undefined;
  readonly error: ServerError | undefined;
  readonly reload: () => void;
}

export interface ResourceOptions {
  /** Ask again this long after each answer, while the page is visible. */
  readonly pollMs?: number | undefined;
}

/**
 * An answer of the server, requested again when the key changes, when the connection is back, and
 * at intervals.
 */
export function useResource<T>(
  key: string,
  ask: (signal: AbortSignal) => Promise<T>,
  { pollMs }: ResourceOptions = {},
): Resource<T> {
  const [state, setState] = useState<Answer<T>>({ key });
  const [request, setRequest] = useState(0);
  const latest = useRef(ask);
  latest.current = ask;
  const connection = reconnections.value;
  const credentials = token.value;

  // Dependencies: a change of these asks again; the effect does not read them
  useEffect(() => {
    const askOnce = async (signal: AbortSignal) => {
      try {
        const data = await latest.current(signal);
        if (!signal.aborted) setState({ key, data });
      } catch (failed) {
        const error = asServerError(failed);
        if (!signal.aborted) setState((old) => ({ ...(old.key === key ? old : { key }), error }));
      }
    };
    return whileVisible(askOnce, pollMs);
  }, [key, request, pollMs, connection, credentials]);

  const current = state.key === key ? state : undefined;
  return {
    data: current?.data,
    error: current?.error,
    reload: () => setRequest((count) => count + 1),
  };
}

interface Answer<T> {
  readonly key: string;
  readonly data?: T;
  readonly error?: ServerError;
}

/**
 * Runs a task at once and then at intervals, but not while the page is hidden. A repeated task also
 * runs as soon as the page becomes visible.
 *
 * @returns a function that ends it
 */
function whileVisible(
  task: (signal: AbortSignal) => Promise<void>,
  pollMs: number | undefined,
): () => void {
  const abort = new AbortController();
  const { signal } = abort;
  let timer: ReturnType<typeof setTimeout> | undefined;
  const run = async () => {
    if (!document.hidden) await task(signal);
    if (pollMs !== undefined && !signal.aborted) timer = setTimeout(run, pollMs);
  };
  const wake = () => {
    if (document.hidden || pollMs === undefined) return;
    clearTimeout(timer);
    run();
  };
  document.addEventListener("visibilitychange", wake);
  run();
  return () => {
    abort.abort();
    clearTimeout(timer);
    document.removeEventListener("visibilitychange", wake);
  };
}

export function asServerError(error: unknown): ServerError {
  if (error instanceof ServerError) return error;
  return new ServerError(error instanceof Error ? error.message : String(error), 0, "internal");
}
