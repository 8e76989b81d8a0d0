import { type AddressInfo, createServer, type Server as NetServer, type Socket } from "node:net";
import {
  type ConnectionInjector,
  ServerInterceptingCall,
  type ServerInterceptor,
} from "@grpc/grpc-js";
import type { ConnectionLimits } from "../../security/connection-limits.js";

/** A client connects in order to call; a connection without a call by then is closed. */
const FIRST_CALL_MS = 20_000;

/**
 * Accepts the connections of a gRPC server, which alone would accept any number of them and wait
 * for their first call without a limit.
 */
export class FrontDoor {
  readonly #server: NetServer;
  readonly #limits: ConnectionLimits;
  readonly #firstCallMs: number;
  /** When those are closed that have not called, by their peer as gRPC names it. */
  readonly #waiting = new Map<string, NodeJS.Timeout>();
  #injector: ConnectionInjector | undefined;

  constructor(limits: ConnectionLimits, firstCallMs = FIRST_CALL_MS) {
    this.#limits = limits;
    this.#firstCallMs = firstCallMs;
    this.#server = createServer((socket) => this.#take(socket));
  }

  /** @returns the port. Throws the error of the system. */
  listen(host: string, port: number, injector: ConnectionInjector): Promise<number> {
    this.#injector = injector;
    return new Promise((resolve, reject) => {
      this.#server.once("error", reject);
      this.#server.listen(port, host, () => {
        this.#server.off("error", reject);
        // If no file is left for a new connection, the existing ones continue.
        this.#server.on("error", () => undefined);
        resolve((this.#server.address() as AddressInfo).port);
      });
    });
  }

  /** Accepts no more connections; existing ones stay open. */
  close(): void {
    if (this.#server.listening) this.#server.close();
    for (const timer of this.#waiting.values()) clearTimeout(timer);
    this.#waiting.clear();
  }

  /** Notes which connections have called. */
  interceptor(): ServerInterceptor {
    return (_method, call) => {
      this.#called(call.getPeer());
      return new ServerInterceptingCall(call);
    };
  }

  #take(socket: Socket): void {
    // Without a listener an error of a connection would end the process.
    socket.on("error", () => undefined);
    if (!this.#limits.admit(socket)) return;
    const peer = `${socket.remoteAddress}:${socket.remotePort}`;
    const timer = setTimeout(() => socket.destroy(), this.#firstCallMs);
    this.#waiting.set(peer, timer);
    socket.once("close", () => this.#called(peer));
    this.#injector?.injectConnection(socket);
  }

  #called(peer: string): void {
    clearTimeout(this.#waiting.get(peer));
    this.#waiting.delete(peer);
  }
}
