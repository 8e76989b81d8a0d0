import { setTimeout as sleep } from "node:timers/promises";
import { FailureKind, StillhouseError } from "../../src/errors.js";
import { type Experiment, State } from "../../src/generated/stillhouse/v1/experiment.js";
import type { ExperimentSpec } from "../../src/generated/stillhouse/v1/spec.js";
import { drawFaults, type Fault } from "./faults.js";
import { TIMINGS } from "./server-process.js";
import type { System } from "./system.js";

/** Unfinished experiments per worker while faults happen. */
const NUM_UNDER_WAY = 1.5;
const POLL_MS = 200;
/** Attempts to start the server, which fail while its disk is full or when it is killed. */
const MAX_STARTS = 20;
/** An experiment counts as lost if it has not ended this long after the last fault. */
const CALM_LIMIT_MS = 180_000;

/** Kinds of failure that a caller may get while a fault lasts, and that pass with it. */
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
  /** Ends the faults early; experiments that have begun still run to their end. */
  readonly stop: AbortSignal;
  readonly onAccepted: (request: string, spec: ExperimentSpec) => void;
}

/** Submits experiments as long as faults happen, and waits until all have ended. */
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
  /** Experiments that a fault has cancelled and not resumed yet. */
  readonly #cancelled = new Set<string>();
  readonly #deleted = new Set<string>();
  /** Requests whose experiment has not ended yet. */
  readonly #underWay = new Map<string, string>();
  readonly #withdrawn = new Set<number>();
  /** Restarts of the server run one after the other. */
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
    // It is awaited at the end.
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

  /** Submits experiments and follows them, a few at a time, through calls that are tried again. */
  async #submit(): Promise<void> {
    const underWay = new Set<Promise<void>>();
    for (let seed = 1; !this.#isCalm && this.#failure === undefined; seed++) {
      const experiment = this.#follow(seed).catch((error) => {
        // Thrown at the end: the other experiments still run to theirs.
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
      // An experiment that nobody resumes any more would never end.
      if (state === State.CANCELLED && this.#isCalm && !this.#cancelled.has(id)) {
        await this.#unlessTooLate(() => this.#system.client.resume(id));
      }
      if (this.#isCalm) deadlineMs = Math.min(deadlineMs, performance.now() + CALM_LIMIT_MS);
      await sleep(POLL_MS);
    }
    this.say(`experiment ${id} has not ended after ${CALM_LIMIT_MS / 1000} s of calm`);
  }

  /** Undefined where it has been deleted meanwhile. */
  async #find(id: string): Promise<Experiment | undefined> {
    try {
      return (await this.#patiently(() => this.#system.client.get(id))).experiment;
    } catch (error) {
      if (this.#deleted.has(id)) return undefined;
      throw error;
    }
  }

  /**
   * Resumes an experiment that failed because a task lost three workers or because of a full disk,
   * as may happen in a storm.
   *
   * @returns whether the experiment continues
   */
  async #resume({ id, failure }: Experiment): Promise<boolean> {
    const kind = failure?.kind;
    const isOfStorm = kind === FailureKind.WORKER_LOST;
    if (!isOfStorm && !(kind !== undefined && PASSING.includes(kind))) {
      this.say(`experiment ${id} failed: ${failure?.message}\n${failure?.traceback}`);
      return false;
    }
    this.numResumed++;
    // It may have just been deleted.
    return this.#unlessTooLate(() => this.#system.client.resume(id));
  }

  /** Repeats a call until there is an answer. */
  async #patiently<Result>(call: () => Promise<Result>): Promise<Result> {
    for (;;) {
      try {
        return await call();
      } catch (error) {
        if (!isOneOf(error, PASSING)) throw error;
        // A server that could not be restarted will never answer.
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
    // A server that does not start at all is reported at the end.
    this.#restart.catch((error) => {
      this.#failure ??= { error };
    });
  }

  /** Starts the server again where a full disk ended it at its start, as a supervisor would. */
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

  /** Existing connections stay open without the key, so all are dropped and have to reconnect. */
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

  /** Cancels one of the unfinished experiments, and resumes or retries it later. */
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

  /** Cancels and deletes one of the unfinished experiments; it must not come back. */
  #delete(fault: Fault): void {
    const [request, id] = this.#anyUnderWay(fault);
    if (request === undefined || id === undefined || this.#cancelled.has(id)) return;
    this.#cancelled.add(id);
    const deleted = async () => {
      await this.#unlessTooLate(() => this.#system.client.cancel(id));
      this.say(`  ${id} is deleted`);
      // Even the first call may delete it, though its answer is lost.
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

  /** @returns false where the experiment has ended or was deleted */
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
