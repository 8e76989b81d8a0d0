import { setTimeout as sleep } from "node:timers/promises";
import { type StillhouseError, unavailable } from "../errors.js";
import { bracketed, reachable } from "../security/network.js";
import type { Security } from "../security/security.js";
import type { LocalStore } from "../store/local-store.js";
import type { Addresses } from "../worker/local-launcher.js";
import { type Capacity, type ControlPlane, type ControlPlaneOptions, LOOPBACK } from "./options.js";
import { advertised } from "./pools.js";
import { capacityOf, clock, ids } from "./surroundings.js";
import { type Parts, wire } from "./wiring.js";

/** Time for answers that are on their way when the server stops. */
const SERVER_GRACE_MS = 1_000;
/** How often what could not be removed is tried again. */
const TIDY_INTERVAL_MS = 60_000;
/** Time for the last that MLflow is to get. */
const EXPORT_GRACE_MS = 5_000;

/** A control plane from its start to its end. */
export class RunningControlPlane implements ControlPlane {
  readonly #options: ControlPlaneOptions;
  readonly #store: LocalStore;
  readonly #security: Security;
  readonly #parts: Parts;
  /** Of the database, in the background. */
  readonly #checking = new AbortController();
  #timers: readonly NodeJS.Timeout[] = [];
  #stopped: Promise<void> | undefined;
  #break: (fault: StillhouseError) => void = () => undefined;
  readonly broken = new Promise<StillhouseError>((resolve) => {
    this.#break = resolve;
  });
  #grpcPort = 0;
  address = "";
  workerAddress = "";
  httpAddress = "";
  leftQueued: readonly string[] = [];

  constructor(options: ControlPlaneOptions, store: LocalStore, security: Security) {
    this.#options = options;
    this.#store = store;
    this.#security = security;
    const plane = this;
    this.#parts = wire({
      ...{ options, store, security },
      life: {
        get grpcPort() {
          return plane.#grpcPort;
        },
        get addresses() {
          return { workers: plane.workerAddress, grpc: plane.address };
        },
        get isStopping() {
          return plane.#stopped !== undefined;
        },
        reportBroken: (fault) => this.#break(fault),
      },
    });
  }

  get advertised(): Addresses {
    const { workerAddress: workers, address: grpc } = this;
    return advertised(this.#options, { workers, grpc });
  }

  get capacity(): Capacity {
    return capacityOf(this.#options);
  }

  get clientKeys(): string {
    return this.#security.session.client;
  }

  async start(): Promise<void> {
    const { lock } = this.#options;
    const { dispatcher, server, timings } = this.#parts;
    // First, since taking up very many experiments takes longer than a lease.
    const renewals = this.#renewals();
    this.#timers = renewals;
    await this.#takeUp();
    await this.#listen();
    this.#timers = [
      ...renewals,
      setInterval(() => dispatcher.tick(), timings.tickMs),
      setInterval(() => this.#tidy(), TIDY_INTERVAL_MS),
    ];
    dispatcher.dispatch();
    lock.announce(this.address, this.clientKeys);
    server.isServing = true;
    this.#keepReserve();
    void this.#check();
  }

  askForWorker(pool: string): void {
    this.#parts.dispatcher.pools.askForOne(pool);
  }

  stop(withinMs = Number.POSITIVE_INFINITY): Promise<void> {
    this.#stopped ??= this.#stop(withinMs);
    return this.#stopped;
  }

  kill(): void {
    const { inspector, bridge, dispatcher } = this.#parts;
    this.#checking.abort();
    inspector.stop();
    bridge.kill();
    dispatcher.pools.killAll();
  }

  /** Continues what an earlier process left. */
  async #takeUp(): Promise<void> {
    const { adopt, stop } = this.#options;
    const { ledger, dispatcher } = this.#parts;
    this.leftQueued = await ledger.load(
      (id) => adopt === undefined || adopt.includes(id),
      ({ workerId }) => workerId !== "" && !ids.isOfWorker(workerId),
      stop,
    );
    dispatcher.awaitWorkers();
    dispatcher.pools.inherit();
  }

  async #listen(): Promise<void> {
    const { http: httpPort, host = LOOPBACK, grpcPort = 0, workerPort = 0 } = this.#options;
    const { hub, server, workers, dispatcher, http } = this.#parts;
    const bound = await hub.bind(host, workerPort);
    this.#grpcPort = await server.listen(host, grpcPort);
    const here = bracketed(reachable(host));
    this.address = `${here}:${this.#grpcPort}`;
    this.workerAddress = `tcp://${here}:${portOf(bound)}`;
    workers.open(dispatcher);
    dispatcher.pools.open();
    if (http && httpPort) this.httpAddress = await http.listen(host, httpPort);
  }

  /** Also while nothing can be stored, so that no other control plane takes over for it. */
  #renewals(): NodeJS.Timeout[] {
    const { leadership } = this.#options;
    if (!leadership) return [];
    const renew = () => {
      try {
        leadership.renew();
      } catch (thrown) {
        this.#parts.dispatcher.testStorage(() => {
          throw thrown;
        });
      }
    };
    return [setInterval(renew, leadership.renewalMs)];
  }

  async #stop(givenMs: number): Promise<void> {
    const { lock, leadership } = this.#options;
    // Another one leads already: its workers do what these still do.
    const isFollowed = leadership && this.#parts.dispatcher.fault?.isLasting;
    const withinMs = isFollowed ? 0 : givenMs;
    const deadlineMs = clock.monotonicMs() + withinMs;
    const { server, experiments, feed, inspector, bridge, dispatcher } = this.#parts;
    const reason = unavailable(`the control plane at ${this.address} is stopping`);
    lock.withdraw();
    this.#checking.abort();
    server.isServing = false;
    experiments.refuse(reason);
    feed.end(reason);
    inspector.stop();
    // Workers still upload artifacts while they finish, so the server stops after them.
    await Promise.all([bridge.stop(), atMost(withinMs, dispatcher.drain())]);
    const leftMs = Math.max(0, deadlineMs - clock.monotonicMs());
    await dispatcher.pools.stop(Math.min(leftMs, this.#parts.timings.stopGraceMs));
    for (const timer of this.#timers) clearInterval(timer);
    await this.#closeDoors(withinMs);
    await this.#store.settled();
    this.#store.close();
    this.#security.session.remove();
    lock.release();
  }

  async #closeDoors(withinMs: number): Promise<void> {
    const { server, http, hub, mlflow } = this.#parts;
    await Promise.all([server.stop(SERVER_GRACE_MS), http?.stop(SERVER_GRACE_MS)]);
    await hub.close();
    await mlflow?.stop(Math.min(withinMs, EXPORT_GRACE_MS));
  }

  async #check(): Promise<void> {
    const fault = await this.#store.check(this.#checking.signal);
    if (fault === undefined || this.#stopped) return;
    this.#parts.dispatcher.testStorage(() => {
      throw fault;
    });
  }

  #tidy(): void {
    try {
      this.#store.tidy();
    } catch (error) {
      this.#options.log.debug(`not all could be removed: ${(error as Error).message}`);
    }
    this.#keepReserve();
  }

  #keepReserve(): void {
    try {
      this.#store.keepReserve();
    } catch (error) {
      this.#options.log.debug(`no room for removals: ${(error as Error).message}`);
    }
  }
}

function portOf(address: string): string {
  return address.slice(address.lastIndexOf(":") + 1);
}

async function atMost(limitMs: number, promise: Promise<void>): Promise<void> {
  if (limitMs === Number.POSITIVE_INFINITY) return promise;
  const waiting = new AbortController();
  const limit = sleep(limitMs, undefined, { signal: waiting.signal }).catch(() => undefined);
  await Promise.race([promise, limit]);
  waiting.abort();
}
