import type { ComponentChildren } from "preact";
import type { ServerError } from "../server/http.js";

export function Problem({ error }: { readonly error: ServerError | undefined }) {
  // While the server does not answer, the banner at the top says so for the whole page.
  if (error === undefined || error.status === 0 || error.status === 401) return null;
  return (
    <p class="notice notice-problem" role="alert">
      {error.message}
    </p>
  );
}

export function Empty({ children }: { readonly children: ComponentChildren }) {
  return <p class="empty">{children}</p>;
}
