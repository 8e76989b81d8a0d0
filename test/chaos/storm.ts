import { setTimeout as sleep } from "node:timers/promises";
import { FailureKind, StillhouseError } from "../../src/errors.js";
import { type Experiment, State } from "../../src/generated/stillhouse/v1/experiment.js";
import type { ExperimentSpec } from "../../src/generated/stillhouse/v1/spec.js";
import { drawFaults, type Fault } from "./faults.js";
import { TIMINGS } from "./server-process.js";
import type { System } from "./system.js";

/** Experiments that are under way while there are faults to come, for each worker. */
const NUM_UNDER_WAY = 1.5;
const POLL_MS = 200;
/** Starts of a server one after the other that may fail, since its disk is full or it is killed. */
const MAX_STARTS = 20;
/** An experiment that does not come to its end in this time, once it is calm, is lost. */
const CALM_LIMIT_MS = 180_000;

/** What a caller is told while a fault lasts, and what passes with it. */
const PASSING = [
  FailureKind.UNAVAILABLE,
  FailureKind.EXHAUSTED,
  FailureKind.ENVIRONMENT,
  FailureKind.RATE_LIMITED,
];
/** An experiment ended, or was removed, before it could be changed. */
const TOO_LATE = [FailureKind.CONFLICT, FailureKind.NOT_FOUND];

export interface StormOptions {
  readonly faults: number;
  readonly seed: number;
  readonly say: (text: string) => void;
  /** Ends the faults early; what was begun still comes to its end. */
  readonly stop: AbortSignal;
  readonly onAccepted: (request: string, spec: ExperimentSpec) => void;
}

/** Submits experiments as long as faults happen, and waits for the end of all. */
export class Storm {
  /** Ids of the experiments that were accepted and not deleted again, by request id. */
  readonly requests = new Map<string, string>();
  readonly byKind = new Map<string, number>();
  readonly say: (text: string) => void;
  numFaults = 0;
  numResumed = 0;
  readonly #system: System;
  readonly #spec: ExperimentSpec;
  readonly #options: StormOptions;
  readonly #faults: readonly Fault[];
  readonly #ending: Promise<void>[] = [];
  /** Those that a fault has cancelled, until it lets them go on. */
  readonly #cancelled = new Set<string>();
  readonly #deleted = new Set<string>();
  /** Requests whose experiment has not ended yet. */
  readonly #underWay = new Map<string, string>();
  readonly #withdrawn = new Set<number>();
  /** The server is started anew once, whatever else is under way. */
  #restart: Promise<void> = Promise.resolve();
  #isCalm = false;
  #failure: { readonly error: unknown } | undefined;

  constructor(system: System, spec: ExperimentSpec, options: StormOptions) {
    this.#system = system;
    this.#spec = spec;
    this.#options = options;
    this.#faults = drawFaults(options.faults, options.seed, TIMINGS.leaseMs ?? 0);
    this.say = options.say;
  }

  async run(): Promise<void> {
    const submitting = this.#submit();
    // It is waited for at the end.
    submitting.catch(() => undefined);
    for (const fault of this.#faults) {
      await sleep(fault.afterMs);
      if (this.#options.stop.aborted || this.#failure) break;
      this.#begin(fault);
    }
    await Promise.all(this.#ending);
    await this.#restart;
    this.#mend();
    this.#system.server.fillDisk(false);
    this.#isCalm = true;
    await submitting;
  }

  /** Experiments one after the other, a few at a time, through a client that does not give up. */
  async #submit(): Promise<void> {
    const underWay = new Set<Promise<void>>();
    for (let seed = 1; !this.#isCalm && this.#failure === undefined; seed++) {
      const experiment = this.#follow(seed).catch((error) => {
        // Told at the end: what else is under way still comes to its end.
        this.#failure ??= { error };
      });
      underWay.add(experiment);
      experiment.then(() => underWay.delete(experiment));
      if (underWay.size >= NUM_UNDER_WAY * this.#system.workers.length)
        await Promise.race(underWay);
    }
    await Promise.all(underWay);
    if (this.#failure) throw this.#failure.error;
  }

  async #follow(seed: number): Promise<void> {
    const request = `request ${seed}`;
    const { client } = this.#system;
    const spec = { ...this.#spec, seed };
    const { id } = await this.#patiently(() => client.create(spec, request));
    this.requests.set(request, id);
    this.#options.onAccepted(request, spec);
    this.#underWay.set(request, id);
    await this.#untilEnded(id);
    this.#underWay.delete(request);
  }

  async #untilEnded(id: string): Promise<void> {
    let deadlineMs = Number.POSITIVE_INFINITY;
    while (performance.now() < deadlineMs) {
      if (this.#deleted.has(id)) return;
      const experiment = await this.#find(id);
      const state = experiment?.state;
      if (state === State.SUCCEEDED) return;
      if (experiment && state === State.FAILED && !(await this.#resume(experiment))) return;
      // One that nobody lets go on any more would never end.
      if (state === State.CANCELLED && this.#isCalm && !this.#cancelled.has(id)) {
        await this.#unlessTooLate(() => this.#system.client.resume(id));
      }
      if (this.#isCalm) deadlineMs = Math.min(deadlineMs, performance.now() + CALM_LIMIT_MS);
      await sleep(POLL_MS);
    }
    this.say(`experiment ${id} has not ended after ${CALM_LIMIT_MS / 1000} s of calm`);
  }

  /** Undefined where it was deleted in between. */
  async #find(id: string): Promise<Experiment | undefined> {
    try {
      return (await this.#patiently(() => this.#system.client.get(id))).experiment;
    } catch (error) {
      if (this.#deleted.has(id)) return undefined;
      throw error;
    }
  }

  /**
   * A task is given up after three lost workers, or where a full disk ended it, which says nothing
   * against it in a storm.
   *
   * @returns whether the experiment goes on
   */
  async #resume({ id, failure }: Experiment): Promise<boolean> {
    const kind = failure?.kind;
    const isOfStorm = kind === FailureKind.WORKER_LOST;
    if (!isOfStorm && !(kind !== undefined && PASSING.includes(kind))) {
      this.say(`experiment ${id} failed: ${failure?.message}\n${failure?.traceback}`);
      return false;
    }
    this.numResumed++;
    // It may be deleted in this moment.
    return this.#unlessTooLate(() => this.#system.client.resume(id));
  }

  /** Calls again until there is an answer. */
  async #patiently<Result>(call: () => Promise<Result>): Promise<Result> {
    for (;;) {
      try {
        return await call();
      } catch (error) {
        if (!isOneOf(error, PASSING)) throw error;
        // Where the server is gone for good, nobody would ever answer.
        if (this.#failure) throw error;
        await sleep(POLL_MS);
      }
    }
  }

  #begin(fault: Fault): void {
    this.numFaults++;
    this.byKind.set(fault.kind, (this.byKind.get(fault.kind) ?? 0) + 1);
    const { server, proxies, workers } = this.#system;
    const index = fault.target % workers.length;
    const worker = workers[index];
    this.say(`${this.numFaults}: ${fault.kind} ${index} for ${fault.lastsMs} ms`);
    switch (fault.kind) {
      case "kill worker":
        worker?.signal("SIGKILL");
        break;
      case "kill own worker":
        server.killOwnWorker();
        break;
      case "pause worker":
        worker?.signal("SIGSTOP");
        this.#later(fault, () => worker?.signal("SIGCONT"));
        break;
      case "kill server":
        this.#restartServer();
        break;
      case "pause server":
        server.signal("SIGSTOP");
        this.#later(fault, () => server.signal("SIGCONT"));
        break;
      case "cut off":
        for (const proxy of proxies) proxy.cut();
        this.#later(fault, () => this.#mend());
        break;
      case "hold back":
        for (const proxy of proxies) proxy.hold();
        this.#later(fault, () => this.#mend());
        break;
      case "full disk":
        server.fillDisk(true);
        this.#later(fault, () => server.fillDisk(false));
        break;
      case "withdraw key":
        this.#withdrawKey(fault, index);
        break;
      case "cancel and resume":
        this.#interrupt(fault, (id) => this.#system.client.resume(id));
        break;
      case "cancel and retry":
        this.#interrupt(fault, (id) => this.#system.client.retry(id));
        break;
      case "delete":
        this.#delete(fault);
        break;
    }
  }

  #restartServer(): void {
    const { server } = this.#system;
    this.#restart = this.#restart.then(async () => {
      await server.kill();
      await this.#started();
    });
    // A server that does not start at all is told of at the end.
    this.#restart.catch((error) => {
      this.#failure ??= { error };
    });
  }

  /** As a supervisor would: what a full disk ended at its start is started again. */
  async #started(): Promise<void> {
    for (let numTries = 1; ; numTries++) {
      try {
        await this.#system.server.start();
        return;
      } catch (error) {
        if (numTries === MAX_STARTS) throw error;
        this.say(`  the server did not start: ${(error as Error).message.split("\n").at(-2)}`);
        await sleep(POLL_MS);
      }
    }
  }

  /** A connection that is there stays, so all are made anew. */
  #withdrawKey(fault: Fault, index: number): void {
    if (this.#withdrawn.has(index)) return;
    this.#withdrawn.add(index);
    this.#system.allow(index, false);
    for (const proxy of this.#system.proxies) proxy.drop();
    this.#later(fault, () => {
      this.#system.allow(index, true);
      this.#withdrawn.delete(index);
    });
  }

  /** Cancels one of the experiments that are under way, and later lets it go on. */
  #interrupt(fault: Fault, goOn: (id: string) => Promise<unknown>): void {
    const [, id] = this.#anyUnderWay(fault);
    if (id === undefined || this.#cancelled.has(id)) return;
    this.#cancelled.add(id);
    const interrupted = async () => {
      if (await this.#unlessTooLate(() => this.#system.client.cancel(id))) {
        await sleep(fault.lastsMs);
        await this.#unlessTooLate(() => goOn(id));
      }
      this.#cancelled.delete(id);
    };
    this.#goesOn(interrupted());
  }

  /** Cancels one of the experiments that are under way and removes it; it must not come back. */
  #delete(fault: Fault): void {
    const [request, id] = this.#anyUnderWay(fault);
    if (request === undefined || id === undefined || this.#cancelled.has(id)) return;
    this.#cancelled.add(id);
    const deleted = async () => {
      await this.#unlessTooLate(() => this.#system.client.cancel(id));
      this.say(`  ${id} is deleted`);
      // From the first try on it may be gone without an answer.
      this.#deleted.add(id);
      this.requests.delete(request);
      await this.#unlessTooLate(() => this.#system.client.delete(id));
    };
    this.#goesOn(deleted());
  }

  #anyUnderWay({ target }: Fault): readonly [request?: string, id?: string] {
    const all = [...this.#underWay];
    return all[target % Math.max(1, all.length)] ?? [];
  }

  /** @returns false where the experiment has ended or is gone */
  async #unlessTooLate(call: () => Promise<unknown>): Promise<boolean> {
    try {
      await this.#patiently(call);
      return true;
    } catch (error) {
      if (isOneOf(error, TOO_LATE)) return false;
      throw error;
    }
  }

  #mend(): void {
    for (const proxy of this.#system.proxies) proxy.mend();
  }

  #later({ lastsMs }: Fault, action: () => void): void {
    this.#goesOn(sleep(lastsMs).then(action));
  }

  #goesOn(action: Promise<void>): void {
    const told = action.catch((error) => {
      this.#failure ??= { error };
    });
    this.#ending.push(told);
  }
}

function isOneOf(error: unknown, kinds: readonly FailureKind[]): boolean {
  return error instanceof StillhouseError && kinds.includes(error.kind);
}
