import { signal } from "@preact/signals";
import { asSentence } from "../../text/format.js";
import { needsToken, token } from "./session.js";

/** Why a call failed. */
export class ServerError extends Error {
  constructor(
    message: string,
    /** HTTP status; 0 where no server answered. */
    readonly status: number,
    readonly kind: string,
    /** Path of the setting at fault, such as "inner.lr"; empty when none is. */
    readonly field = "",
  ) {
    super(message);
    this.name = "ServerError";
  }
}

export const isOnline = signal(true);

/** Incremented each time that the server is back: what was read before may be outdated. */
export const reconnections = signal(0);

const GATEWAY = new Set([502, 503, 504]);
const FIRST_RETRY_MS = 500;
const LAST_RETRY_MS = 5000;

export interface CallOptions {
  readonly method?: "GET" | "POST" | "DELETE";
  readonly body?: unknown;
  readonly signal?: AbortSignal;
}

/**
 * Calls the REST interface.
 *
 * @param path below /api/v1/
 * @returns the JSON of the answer; its type is that of the interface's description
 * @throws ServerError
 */
export async function call<Answer = unknown>(
  path: string,
  options: CallOptions = {},
): Promise<Answer> {
  const response = await send(path, options);
  if (response.ok) return response.json();
  throw await errorOf(response);
}

/** The answer as it comes, for streams and files. Throws ServerError where no server answers. */
export async function send(
  path: string,
  { method = "GET", body, signal: abort }: CallOptions,
  headers: Readonly<Record<string, string>> = {},
): Promise<Response> {
  const init: RequestInit = {
    method,
    headers: {
      ...headers,
      ...(token.value === "" ? {} : { authorization: `Bearer ${token.value}` }),
      ...(body === undefined ? {} : { "content-type": "application/json" }),
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    ...(abort === undefined ? {} : { signal: abort }),
  };
  let response: Response;
  try {
    response = await fetch(`/api/v1/${path}`, init);
  } catch (error) {
    if (abort?.aborted) throw error;
    lost();
    throw new ServerError("The server does not answer", 0, "unavailable");
  }
  if (GATEWAY.has(response.status)) lost();
  return response;
}

/** The error of a response with an error status. */
export async function errorOf(response: Response): Promise<ServerError> {
  if (response.status === 401) needsToken.value = true;
  const { error } = await response
    .json()
    .then((json: { error?: { message?: string; kind?: string; field?: string } }) => json)
    .catch(() => ({ error: undefined }));
  const message = asSentence(error?.message ?? `The server answered ${response.status}`);
  return new ServerError(message, response.status, error?.kind ?? "", error?.field);
}

/** Resolves when the server answers. */
export async function untilAnswered(): Promise<void> {
  await call("whoami").catch(() => undefined);
  await new Promise<void>((resolve) => {
    const stop = isOnline.subscribe((online) => {
      if (!online) return;
      // The first call comes before there is anything to stop.
      queueMicrotask(() => stop());
      resolve();
    });
  });
}

/** Asks from now on until the server is back. */
function lost(): void {
  if (!isOnline.value) return;
  isOnline.value = false;
  ask(FIRST_RETRY_MS);
}

function ask(delayMs: number): void {
  setTimeout(async () => {
    const answered = await fetch("/api/v1/whoami", { headers: authorization() }).then(
      ({ status }) => !GATEWAY.has(status),
      () => false,
    );
    if (!answered) return ask(Math.min(LAST_RETRY_MS, delayMs * 2));
    isOnline.value = true;
    reconnections.value += 1;
  }, delayMs);
}

function authorization(): Record<string, string> {
  return token.value === "" ? {} : { authorization: `Bearer ${token.value}` };
}
