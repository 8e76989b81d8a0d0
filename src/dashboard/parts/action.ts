import { useState } from "preact/hooks";
import type { ServerError } from "../server/http.js";
import { asServerError } from "./resource.js";

export interface Action<Name extends string> {
  /** The action that runs at this moment. */
  readonly busy: Name | undefined;
  /** Why the last one failed. */
  readonly error: ServerError | undefined;
  readonly run: (name: Name, action: () => Promise<void>) => Promise<void>;
  readonly clearError: () => void;
}

/** What a button starts: one at a time, with its failure kept until the next one succeeds. */
export function useAction<Name extends string>(): Action<Name> {
  const [busy, setBusy] = useState<Name>();
  const [error, setError] = useState<ServerError>();
  const run = async (name: Name, action: () => Promise<void>) => {
    setBusy(name);
    try {
      await action();
      setError(undefined);
    } catch (failed) {
      setError(asServerError(failed));
    }
    setBusy(undefined);
  };
  return { busy, error, run, clearError: () => setError(undefined) };
}
