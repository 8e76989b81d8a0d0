import { invalid } from "../errors.js";

/** Where an MLflow tracking server answers. */
export interface TrackingAddress {
  /** http or https; a user and a password in it are sent along. */
  readonly url: URL;
  /** Bearer token. */
  readonly token: string | undefined;
}

/** Throws INVALID for text that is not an address. */
export function trackingAddress(text: string, token: string | undefined): TrackingAddress {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url && /^https?:$/.test(url.protocol)) return { url, token };
  const allowed = "an address such as http://127.0.0.1:5000";
  throw invalid("", `STILLHOUSE_MLFLOW must be ${allowed}, got ${JSON.stringify(text)}`);
}
