import { useEffect, useRef, useState } from "preact/hooks";
import { reconnections, type ServerError } from "../server/http.js";
import { token } from "../server/session.js";
import { asServerError } from "./resource.js";

export interface Page<Item> {
  readonly items: readonly Item[];
  /** Empty on the last one. */
  readonly nextPageToken: string;
}

/** A list that is read page by page. */
export function usePages<Item>(
  key: string,
  ask: (pageToken: string, signal: AbortSignal) => Promise<Page<Item>>,
) {
  const [items, setItems] = useState<readonly Item[]>();
  const [next, setNext] = useState("");
  const [error, setError] = useState<ServerError>();
  const abort = useRef(new AbortController());
  const connection = reconnections.value;
  const credentials = token.value;

  const load = async (pageToken: string) => {
    const { signal } = abort.current;
    try {
      const page = await ask(pageToken, signal);
      if (signal.aborted) return;
      setItems((old = []) => (pageToken === "" ? page.items : [...old, ...page.items]));
      setNext(page.nextPageToken);
      setError(undefined);
    } catch (failed) {
      if (!signal.aborted) setError(asServerError(failed));
    }
  };

  // Dependencies: a change of these asks again; the effect does not read them
  useEffect(() => {
    abort.current = new AbortController();
    load("");
    return () => abort.current.abort();
  }, [key, connection, credentials]);

  return { items, error, hasMore: next !== "", loadMore: () => load(next) };
}
