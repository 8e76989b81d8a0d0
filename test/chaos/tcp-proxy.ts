import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";

/**
 * Stands between workers and the control plane at an address that stays: it passes bytes on, cuts
 * all connections off, or holds them, so that what was sent arrives late.
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

  /** Where connections go from now on; the present ones end. */
  pointTo(port: number): void {
    this.#targetPort = port;
    this.#destroyAll();
  }

  /** Ends all connections, in the middle of what they carry, and takes none until `mend`. */
  cut(): void {
    this.#isCut = true;
    this.#destroyAll();
  }

  /** Ends all connections once; they may be made anew at once. */
  drop(): void {
    this.#destroyAll();
  }

  /** Lets connections stand, but no byte through, until `mend`. */
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
    // The other end hears of it by its own end.
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
