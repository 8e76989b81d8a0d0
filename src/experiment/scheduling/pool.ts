import { toFailure } from "../../errors.js";
import {
  LauncherLost,
  type LaunchOrder,
  type LaunchShape,
  type LaunchStatus,
  type PoolSettings,
} from "../domain/launcher-ports.js";
import type { WorkerExit } from "../domain/worker-ports.js";
import { BackOff, type Fault } from "./back-off.js";
import type { PoolActions, PoolParts } from "./pool-parts.js";
import { type Demand, holds, wantedLaunches } from "./wanted-launches.js";

/** How often what is known is compared with what the engine has. */
const LIST_INTERVAL_MS = 60_000;
/** The same after it did not answer. */
const LIST_AGAIN_MS = 5_000;
/** The same while its last workers end. */
const LAST_LIST_INTERVAL_MS = 1_000;
/** An engine that is asked to end something is not asked again before. */
const KILL_AGAIN_MS = 10_000;
/** Time for the end of what was killed to be noticed. */
const KILL_NOTICED_MS = 30_000;

/** One place where workers are started: what was asked of its engine, and what became of it. */
export class Pool {
  readonly settings: PoolSettings;
  readonly #parts: PoolParts;
  readonly #actions: PoolActions;
  readonly #backOff: BackOff;
  /** What has not ended, as far as is known. */
  readonly #alive = new Set<string>();
  /** Orders whose answer is on its way. */
  readonly #asking = new Set<string>();
  /** Those of an earlier process that have not been listed yet. */
  readonly #inherited = new Set<string>();
  readonly #killedAtMs = new Map<string, number>();
  #isClosing = false;
  #listing: Promise<void> | undefined;
  #mustList = false;
  #listedAtMs = 0;
  #listFault = "";
  #numRefused = 0;
  #onEmpty: () => void = () => undefined;

  constructor(settings: PoolSettings, parts: PoolParts, actions: PoolActions) {
    this.settings = settings;
    this.#parts = parts;
    this.#actions = actions;
    this.#backOff = new BackOff(() => parts.clock.monotonicMs());
  }

  /** Why nothing is asked for at present. */
  get fault(): Fault | undefined {
    return this.#backOff.isWaiting ? this.#backOff.fault : undefined;
  }

  /** Orders whose answer is on its way. */
  get numAsked(): number {
    return this.#asking.size;
  }

  /** Orders that were refused since the start. */
  get numRefused(): number {
    return this.#numRefused;
  }

  /** Takes over what an earlier process asked for. */
  inherit(order: LaunchOrder): void {
    this.#parts.roster.addLaunched(order.launchId, this.settings.name, order);
    this.#alive.add(order.launchId);
    this.#inherited.add(order.launchId);
  }

  open(): void {
    this.settings.launcher.open({
      changed: (status) => this.#take(status),
      reconnected: () => void this.reconcile(),
    });
    void this.reconcile();
  }

  /**
   * Asks for the workers that these tasks need and that do not come already.
   *
   * @returns what it leaves to other pools
   */
  ask(demands: readonly Demand[]): readonly Demand[] {
    const { name, most, mostPending, largest } = this.settings;
    const { roster } = this.#parts;
    if (this.#isClosing) return demands;
    const room = most - roster.numLaunchedBy(name);
    const numPending = roster.numPendingOf(name);
    const mayAsk = this.#backOff.isWaiting ? 0 : Math.min(room, mostPending - numPending);
    const { launches, rest } = wantedLaunches(demands, {
      coming: roster.comingTo(name),
      numFree: Math.max(0, mayAsk),
      largest,
    });
    for (const shape of launches) this.#launch(shape);
    if (room <= launches.length && rest.length > 0) this.#makeRoom(rest);
    return rest;
  }

  /** A worker of it has said hello: what was in the way is gone. */
  noteJoined(): void {
    this.#backOff.succeed();
  }

  noteFailure(reason: string): void {
    this.#backOff.fail(reason);
  }

  /** Ends it at once. What cannot be reached now is tried again when it is asked for again. */
  kill(launchId: string): void {
    const nowMs = this.#parts.clock.monotonicMs();
    const killedAtMs = this.#killedAtMs.get(launchId);
    if (killedAtMs !== undefined && nowMs < killedAtMs + KILL_AGAIN_MS) return;
    this.#killedAtMs.set(launchId, nowMs);
    this.#tell(this.settings.launcher.kill(launchId), `ending ${launchId}`);
  }

  killAll(): void {
    this.#isClosing = true;
    for (const launchId of this.#alive) this.kill(launchId);
  }

  /** Call it now and then. */
  tick(): void {
    this.dismissIdle();
    const intervalMs = this.#listFault === "" ? LIST_INTERVAL_MS : LIST_AGAIN_MS;
    if (this.#parts.clock.monotonicMs() >= this.#listedAtMs + intervalMs) void this.reconcile();
  }

  /** Ends those that had nothing to do for the pool's time. */
  dismissIdle(): void {
    const { name, idleTimeoutMs } = this.settings;
    if (idleTimeoutMs === undefined) return;
    const sinceMs = this.#parts.clock.monotonicMs() - idleTimeoutMs;
    for (const entry of this.#parts.roster.withoutTaskOf(name)) {
      if (entry.state !== "idle" || entry.sinceMs > sinceMs) continue;
      this.#actions.dismiss(entry.workerId);
    }
  }

  /** Compares what is known with what the engine has, and ends what nobody knows. */
  reconcile(): Promise<void> {
    this.#mustList = true;
    this.#listing ??= this.#list().finally(() => {
      this.#listing = undefined;
    });
    return this.#listing;
  }

  /** Asks all of its workers to end, and ends them after a while. */
  async stop(graceMs: number): Promise<void> {
    const { launcher, name } = this.settings;
    this.#isClosing = true;
    for (const id of this.#alive) this.#tell(launcher.stop(id), `stopping ${id}`);
    await this.#emptyWithin(graceMs);
    for (const id of this.#alive) this.#tell(launcher.kill(id), `ending ${id}`);
    await this.#emptyWithin(KILL_NOTICED_MS);
    if (this.#alive.size > 0) {
      const left = [...this.#alive].join(", ");
      this.#parts.log.warn(`pool ${name}: these could not be ended: ${left}`);
    }
    await launcher.close();
  }

  #launch(shape: LaunchShape): void {
    const { roster, launches, ids } = this.#parts;
    const { name, outlivesPlane } = this.settings;
    const launchId = outlivesPlane ? ids.launch(name, launches.planeId) : ids.worker();
    const order = { launchId, ...shape };
    // Before the engine hears of it, so that it is known whenever this process dies.
    if (outlivesPlane) launches.add({ ...order, pool: name });
    roster.addLaunched(launchId, name, shape);
    this.#alive.add(launchId);
    this.#asking.add(launchId);
    void this.#order(order);
  }

  async #order(order: LaunchOrder): Promise<void> {
    const { launchId } = order;
    try {
      await this.settings.launcher.launch(order);
    } catch (error) {
      // Whether it was started, the next list shows.
      if (!(error instanceof LauncherLost)) this.#refused(launchId, toFailure(error).message);
    } finally {
      this.#asking.delete(launchId);
    }
  }

  #refused(launchId: string, reason: string): void {
    this.#numRefused += 1;
    this.#backOff.fail(reason);
    const until = this.#backOff.fault?.untilMs ?? 0;
    const pauseS = Math.ceil((until - this.#parts.clock.monotonicMs()) / 1000);
    const { name } = this.settings;
    this.#parts.log.warn(
      `pool ${name}: no worker can be launched at present: ${reason}; tried again in ${pauseS} s`,
    );
    this.#end(launchId, { reason, logTail: "" }, true);
  }

  /** Ends an idle worker that can do nothing of what waits, for one that can. */
  #makeRoom(rest: readonly Demand[]): void {
    const isUseless = (shape: LaunchShape) => !rest.some((demand) => holds(shape, demand));
    const useless = this.#parts.roster.idleOf(this.settings.name, isUseless);
    if (useless !== undefined) this.#actions.dismiss(useless);
  }

  /** An answer says nothing about what was asked for after the question. */
  async #list(): Promise<void> {
    while (this.#mustList) {
      this.#mustList = false;
      this.#listedAtMs = this.#parts.clock.monotonicMs();
      const known = [...this.#alive].filter((id) => !this.#asking.has(id));
      try {
        const listed = await this.settings.launcher.list();
        this.#listFault = "";
        this.#compare(known, listed);
      } catch (error) {
        this.#noteListFault((error as Error).message);
      }
    }
  }

  #compare(known: readonly string[], listed: readonly LaunchStatus[]): void {
    const found = new Set(listed.map(({ launchId }) => launchId));
    for (const status of listed) this.#take(status);
    for (const launchId of known) {
      if (found.has(launchId) || !this.#alive.has(launchId)) continue;
      const reason = `${this.settings.name} has it no more`;
      this.#end(launchId, { reason, logTail: "" }, this.#inherited.has(launchId));
    }
  }

  #take({ launchId, phase, reason, node, logTail }: LaunchStatus): void {
    const { roster, log } = this.#parts;
    if (!this.#alive.has(launchId)) {
      if (phase === "ended") return;
      log.warn(`pool ${this.settings.name}: ${launchId} is ended, which nobody waits for any more`);
      this.kill(launchId);
      return;
    }
    this.#inherited.delete(launchId);
    if (phase === "ended") this.#end(launchId, { reason, logTail }, false);
    else roster.noteLaunch(launchId, phase === "running", { reason, node });
  }

  #end(launchId: string, exit: WorkerExit, isKnownCause: boolean): void {
    this.#alive.delete(launchId);
    this.#inherited.delete(launchId);
    this.#killedAtMs.delete(launchId);
    this.#actions.ended(launchId, exit, isKnownCause || this.#isClosing);
    if (this.#alive.size === 0) this.#onEmpty();
  }

  #emptyWithin(limitMs: number): Promise<void> {
    if (this.#alive.size === 0) return Promise.resolve();
    const look = setInterval(() => void this.reconcile(), LAST_LIST_INTERVAL_MS);
    return new Promise<void>((resolve) => {
      const limit = setTimeout(resolve, limitMs);
      this.#onEmpty = () => {
        clearTimeout(limit);
        resolve();
      };
    }).finally(() => clearInterval(look));
  }

  #noteListFault(reason: string): void {
    if (reason === this.#listFault) return;
    this.#listFault = reason;
    this.#parts.log.warn(`pool ${this.settings.name}: what runs cannot be listed: ${reason}`);
  }

  #tell(told: Promise<void>, what: string): void {
    told.catch((error: Error) => {
      this.#parts.log.debug(`pool ${this.settings.name}, ${what}: ${error.message}`);
    });
  }
}
