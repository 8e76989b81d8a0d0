import { createServer, type RequestListener, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { FailureKind, StillhouseError } from "../../errors.js";

/** Pages hold a stream of events each. */
const MAX_CONNECTIONS = 2_000;

export interface HttpAddress {
  readonly host: string;
  /** 0 for any that is free. */
  readonly port: number;
  /** Whether any other port will do where another program has this one. */
  readonly orAnyPort?: boolean;
}

/** The HTTP server of a control plane. */
export class HttpServer {
  readonly #server: Server;

  constructor(listener: RequestListener) {
    this.#server = createServer(listener);
    this.#server.maxConnections = MAX_CONNECTIONS;
  }

  /**
   * @returns where it answers, http://HOST:PORT
   * @throws ENVIRONMENT when the port is taken or may not be used
   */
  async listen({ host, port, orAnyPort = false }: HttpAddress): Promise<string> {
    try {
      await this.#bind(host, port);
    } catch (thrown) {
      const error = thrown as NodeJS.ErrnoException;
      if (!orAnyPort || error.code !== "EADDRINUSE") throw cannotListen({ host, port }, error);
      await this.#bind(host, 0);
    }
    const { port: bound } = this.#server.address() as AddressInfo;
    return `http://${host.includes(":") ? `[${host}]` : host}:${bound}`;
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

function cannotListen({ host, port }: HttpAddress, error: NodeJS.ErrnoException) {
  const reason = error.code === "EADDRINUSE" ? "another program has it" : error.message;
  return new StillhouseError(
    FailureKind.FAILURE_KIND_ENVIRONMENT,
    `HTTP cannot listen on ${host}:${port}: ${reason}; choose another port`,
    { cause: error },
  );
}
