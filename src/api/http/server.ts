import { createServer, type RequestListener, type Server } from "node:http";
import { createServer as createTlsServer, Server as TlsServer } from "node:https";
import type { AddressInfo, Socket } from "node:net";
import { cannotListen } from "../../errors.js";
import type { ConnectionLimits } from "../../security/connection-limits.js";
import { bracketed, reachable } from "../../security/network.js";
import type { Security } from "../../security/security.js";

/** A request whose head or whole has not come by then is given up. */
const HEAD_TIMEOUT_MS = 20_000;
const REQUEST_TIMEOUT_MS = 60_000;
const CHECK_INTERVAL_MS = 5_000;

const TIMEOUTS = {
  headersTimeout: HEAD_TIMEOUT_MS,
  requestTimeout: REQUEST_TIMEOUT_MS,
  connectionsCheckingInterval: CHECK_INTERVAL_MS,
  // Of TLS.
  handshakeTimeout: HEAD_TIMEOUT_MS,
};

export interface HttpPort {
  /** 0 for any that is free. */
  readonly port: number;
  /** Whether any other port will do where another program has this one. */
  readonly orAnyPort?: boolean;
}

/** The HTTP server of a control plane. */
export class HttpServer {
  readonly #server: Server | TlsServer;

  /**
   * @param security with keys it speaks TLS alone
   * @param connections absent: any number
   */
  constructor(listener: RequestListener, security?: Security, connections?: ConnectionLimits) {
    this.#server = security?.keys
      ? createTlsServer({ ...TIMEOUTS, ...tlsOptions(security) }, listener)
      : createServer(TIMEOUTS, listener);
    this.#server.prependListener("connection", (socket: Socket) => connections?.admit(socket));
  }

  /**
   * @param host address to listen on
   * @returns where this machine reaches it, http://HOST:PORT, or https://HOST:PORT
   * @throws CONFLICT when the port is taken, INVALID when it may not be used
   */
  async listen(host: string, { port, orAnyPort = false }: HttpPort): Promise<string> {
    try {
      await this.#bind(host, port);
    } catch (thrown) {
      const error = thrown as NodeJS.ErrnoException;
      if (!orAnyPort || error.code !== "EADDRINUSE") {
        throw cannotListen("HTTP", `${bracketed(host)}:${port}`, error);
      }
      await this.#bind(host, 0);
    }
    const { port: bound } = this.#server.address() as AddressInfo;
    const scheme = this.#server instanceof TlsServer ? "https" : "http";
    return `${scheme}://${bracketed(reachable(host))}:${bound}`;
  }

  #bind(host: string, port: number): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#server.once("error", reject);
      this.#server.listen(port, host, () => {
        this.#server.off("error", reject);
        resolve();
      });
    });
  }

  /** Takes no new requests, lets running ones end for a while, then cuts them off. */
  async stop(graceMs: number): Promise<void> {
    if (!this.#server.listening) return;
    const ended = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    this.#server.closeIdleConnections();
    const cutOff = setTimeout(() => this.#server.closeAllConnections(), graceMs);
    await ended;
    clearTimeout(cutOff);
  }
}

function tlsOptions({ keys, requiresClientCertificate }: Security) {
  if (!keys) return {};
  const { authority, certificate, key } = keys.tls;
  return {
    ca: authority,
    cert: certificate,
    key,
    requestCert: requiresClientCertificate,
    rejectUnauthorized: requiresClientCertificate,
  };
}
