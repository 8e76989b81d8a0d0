import type { RequestHandler } from "express";
import helmet from "helmet";
import { RateLimiterMemory, RateLimiterRes } from "rate-limiter-flexible";
import { FailureKind, permissionDenied, StillhouseError } from "../../errors.js";
import { isLoopback } from "../../security/network.js";
import { sendFailure } from "./failures.js";

const RATE_WINDOW_S = 10;
/** A page sends a few requests per second, a script a few hundred. */
const MAX_REQUESTS_PER_WINDOW = 20_000;

/** Headers that keep a page of ours from asking other hosts, and other pages from framing it. */
export function securityHeaders(): RequestHandler {
  return helmet({
    contentSecurityPolicy: {
      useDefaults: false,
      directives: {
        defaultSrc: ["'self'"],
        // Charts set widths and heights of their elements.
        styleSrc: ["'self'", "'unsafe-inline'"],
        // Figures are saved from the page as data.
        imgSrc: ["'self'", "data:", "blob:"],
        objectSrc: ["'none'"],
        baseUri: ["'none'"],
        formAction: ["'self'"],
        frameAncestors: ["'none'"],
      },
    },
    // Only with TLS, and then it is the operator's choice.
    strictTransportSecurity: false,
    xFrameOptions: { action: "deny" },
    referrerPolicy: { policy: "no-referrer" },
  });
}

/** Refuses an address that asks too often, whether for files or for more. */
export function boundedRate(): RequestHandler {
  const limiter = new RateLimiterMemory({
    points: MAX_REQUESTS_PER_WINDOW,
    duration: RATE_WINDOW_S,
  });
  return async (request, _response, next) => {
    try {
      await limiter.consume(request.socket.remoteAddress ?? "");
    } catch (thrown) {
      if (!(thrown instanceof RateLimiterRes)) throw thrown;
      const message = `more than ${MAX_REQUESTS_PER_WINDOW} requests came from this address within ${RATE_WINDOW_S} s; try again later`;
      const kind = FailureKind.RATE_LIMITED;
      throw new StillhouseError(kind, message, { retryable: true });
    }
    next();
  };
}

/**
 * Refuses what a page of another site makes a browser send: a change with the Origin of another
 * host, and, while only this machine may connect, any name that was bent to its address.
 *
 * @param isLocal whether the server listens on a loopback address only
 */
export function sameSiteOnly(isLocal: boolean): RequestHandler {
  return (request, response, next) => {
    const { host = "", origin } = request.headers;
    const message =
      isLocal && !isLoopbackHost(host)
        ? `this server is reached as localhost only, not as ${JSON.stringify(host)}`
        : isChange(request.method) && origin !== undefined && !isSameHost(origin, host)
          ? `a page of ${JSON.stringify(origin)} may not change anything here`
          : undefined;
    if (message === undefined) next();
    else sendFailure(response, permissionDenied(message));
  };
}

/** An address cannot be forged; only a name can be made to resolve to another address. */
function isLoopbackHost(host: string): boolean {
  return isLoopback(host.replace(/:\d+$/, "").toLowerCase());
}

function isChange(method: string): boolean {
  return method !== "GET" && method !== "HEAD";
}

function isSameHost(origin: string, host: string): boolean {
  return URL.canParse(origin) && new URL(origin).host === host.toLowerCase();
}
