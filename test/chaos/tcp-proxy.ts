import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";

/**
 * Stands between workers and the control plane, at an address that never changes: it passes bytes
 * on, cuts all connections, or holds bytes back, so that they arrive late.
 */
export class TcpProxy {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #targetPort = 0;
  #isCut = false;
  #isHeld = false;

  private constructor() {
    this.#server = createServer((client) => this.#join(client));
  }

  static async listen(): Promise<TcpProxy> {
    const proxy = new TcpProxy();
    proxy.#server.listen(0, "127.0.0.1");
    await once(proxy.#server, "listening");
    return proxy;
  }

  /** HOST:PORT. */
  get address(): string {
    return `127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** Sends connections to this port from now on, and ends the present ones. */
  pointTo(port: number): void {
    this.#targetPort = port;
    this.#destroyAll();
  }

  /** Ends all connections, even in the middle of a message, and accepts none until `mend`. */
  cut(): void {
    this.#isCut = true;
    this.#destroyAll();
  }

  /** Ends all connections once; both sides may reconnect at once. */
  drop(): void {
    this.#destroyAll();
  }

  /** Keeps connections open, but passes no byte on until `mend`. */
  hold(): void {
    this.#isHeld = true;
    for (const socket of this.#sockets) socket.pause();
  }

  mend(): void {
    this.#isCut = false;
    this.#isHeld = false;
    for (const socket of this.#sockets) socket.resume();
  }

  close(): void {
    this.#server.close();
    this.#destroyAll();
  }

  #join(client: Socket): void {
    if (this.#isCut || this.#targetPort === 0) {
      client.destroy();
      return;
    }
    const server = connect(this.#targetPort, "127.0.0.1");
    this.#pass(client, server);
    this.#pass(server, client);
  }

  #pass(from: Socket, to: Socket): void {
    this.#sockets.add(from);
    from.on("data", (bytes) => {
      to.write(bytes);
    });
    // The other side notices when its own connection is closed.
    from.on("error", () => undefined);
    from.on("close", () => {
      this.#sockets.delete(from);
      to.destroy();
    });
    if (this.#isHeld) from.pause();
  }

  #destroyAll(): void {
    for (const socket of this.#sockets) socket.destroy();
  }
}
