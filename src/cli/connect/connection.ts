import { setTimeout as sleep } from "node:timers/promises";
import { StillhouseClient } from "../../api/client.js";
import type { Endpoint } from "../../api/endpoint.js";
import { FailureKind, StillhouseError } from "../../errors.js";
import { readPartyKeys } from "../../security/keys/read-keys.js";

/** The control plane of the home: one that this process has started, or that of another process. */
export type HomeControlPlane =
  | {
      readonly kind: "started";
      readonly address: string;
      /** Folder of the keys that this machine connects with. */
      readonly keys?: string;
      /** Address of its page, http://HOST:PORT. */
      readonly dashboard: string;
      /**
       * Unfinished experiments of an ended process that stay queued because they were not adopted.
       */
      readonly leftQueued: readonly string[];
      /** Ends its workers after a checkpoint. */
      stop(): Promise<void>;
      /** Ends its workers at once. */
      kill(): void;
    }
  | { readonly kind: "joined"; readonly address: string; readonly keys?: string };

/**
 * Opens the home.
 *
 * @param adopt experiments to continue if an ended process left them unfinished.
 */
type OpenHome = (adopt: readonly string[]) => Promise<HomeControlPlane>;

/** How long a control plane that ends may hold the home: its workers still write checkpoints. */
const TAKE_OVER_LIMIT_MS = 120_000;
const TAKE_OVER_INTERVAL_MS = 300;

/** How long a server that has answered before may take to come back. */
const RETURN_LIMIT_MS = 60_000;

/**
 * The connection to a control plane.
 *
 * Where that is another process on the same home, and it ends, this process takes its place. A
 * server that was named, and has answered before, is given time to come back.
 */
export class Connection {
  readonly #openHome: OpenHome | undefined;
  readonly #adopt = new Set<string>();
  #controlPlane: HomeControlPlane | undefined;
  readonly #connect: () => StillhouseClient;
  #client: StillhouseClient;
  #hasAnswered = false;
  #takingOver: Promise<void> | undefined;

  private constructor(
    connect: () => StillhouseClient,
    openHome?: OpenHome,
    controlPlane?: HomeControlPlane,
  ) {
    this.#connect = connect;
    this.#client = connect();
    this.#openHome = openHome;
    this.#controlPlane = controlPlane;
  }

  static toServer(endpoint: Endpoint | string): Connection {
    return new Connection(() => new StillhouseClient(endpoint));
  }

  /** A connection to a control plane that this process does not replace when that ends. */
  static toControlPlane(controlPlane: HomeControlPlane): Connection {
    return new Connection(() => clientOf(controlPlane), undefined, controlPlane);
  }

  /** @param adopt see `OpenHome`. */
  static async toHome(openHome: OpenHome, adopt: readonly string[]): Promise<Connection> {
    const controlPlane = await openHome(adopt);
    const connection = new Connection(() => clientOf(controlPlane), openHome, controlPlane);
    for (const experimentId of adopt) connection.adopt(experimentId);
    return connection;
  }

  /** Experiments of earlier processes that the control plane of this process leaves queued. */
  get leftQueued(): readonly string[] {
    return this.#controlPlane?.kind === "started" ? this.#controlPlane.leftQueued : [];
  }

  /** Whether this process replaces a control plane that ends. */
  get takesOver(): boolean {
    return this.#openHome !== undefined;
  }

  /** Whether the control plane ends with this process, since it was started here. */
  get isOwn(): boolean {
    return this.#controlPlane?.kind === "started";
  }

  get client(): StillhouseClient {
    return this.#client;
  }

  /** From now on the experiment continues when this process takes over. */
  adopt(experimentId: string): void {
    this.#adopt.add(experimentId);
  }

  /** Calls the control plane, and again if another one had to take over meanwhile. */
  async call<T>(request: (client: StillhouseClient) => Promise<T>): Promise<T> {
    for (;;) {
      try {
        const answer = await request(this.#client);
        this.#hasAnswered = true;
        return answer;
      } catch (error) {
        if (!(await this.recovered(error))) throw error;
      }
    }
  }

  /** Whether the error was the end of a joined control plane which has since been replaced. */
  async recovered(error: unknown): Promise<boolean> {
    if (!isEnding(error) || this.#controlPlane?.kind === "started") return false;
    if (this.#openHome === undefined && !this.#hasAnswered) return false;
    const recovery = () =>
      this.#openHome ? this.#takeOver(this.#openHome, error) : this.#awaitReturn(error);
    this.#takingOver ??= recovery().finally(() => {
      this.#takingOver = undefined;
    });
    await this.#takingOver;
    return true;
  }

  /** Ends the connection, and the control plane if this process has started it. */
  async close(): Promise<void> {
    this.#client.close();
    if (this.#controlPlane?.kind === "started") await this.#controlPlane.stop();
  }

  /** Ends everything that this process has started, at once. */
  kill(): void {
    if (this.#controlPlane?.kind === "started") this.#controlPlane.kill();
  }

  async #takeOver(openHome: OpenHome, error: StillhouseError): Promise<void> {
    const deadlineMs = performance.now() + TAKE_OVER_LIMIT_MS;
    while (performance.now() < deadlineMs) {
      this.#client.close();
      this.#controlPlane = await openHome([...this.#adopt]);
      this.#client = clientOf(this.#controlPlane);
      if (this.#controlPlane.kind === "started" || (await this.#answers())) return;
      await sleep(TAKE_OVER_INTERVAL_MS);
    }
    throw error;
  }

  async #awaitReturn(error: StillhouseError): Promise<void> {
    const deadlineMs = performance.now() + RETURN_LIMIT_MS;
    while (performance.now() < deadlineMs) {
      this.#client.close();
      this.#client = this.#connect();
      if (await this.#answers()) return;
      await sleep(TAKE_OVER_INTERVAL_MS);
    }
    throw error;
  }

  async #answers(): Promise<boolean> {
    return this.#client.list(1, "").then(
      () => true,
      () => false,
    );
  }
}

function clientOf({ address, keys }: HomeControlPlane): StillhouseClient {
  return new StillhouseClient(keys === undefined ? address : { address, ...readPartyKeys(keys) });
}

/** Only a server that shuts down cancels calls. */
function isEnding(error: unknown): error is StillhouseError {
  if (!(error instanceof StillhouseError)) return false;
  return error.kind === FailureKind.UNAVAILABLE || error.kind === FailureKind.CANCELLED;
}
