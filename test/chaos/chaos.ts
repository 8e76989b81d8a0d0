import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { StillhouseClient } from "../../src/api/client.js";
import { FailureKind, StillhouseError } from "../../src/errors.js";
import { type Experiment, State } from "../../src/generated/stillhouse/v1/experiment.js";
import type { ExperimentSpec } from "../../src/generated/stillhouse/v1/spec.js";
import { SqlFile } from "../../src/store/database.js";
import { homePaths } from "../../src/store/home.js";
import { drawFaults, type Fault } from "./faults.js";
import { compareOutcomes, type Outcome, outcomeOf } from "./outcome.js";
import { ServerProcess, TIMINGS } from "./server-process.js";
import { TcpProxy } from "./tcp-proxy.js";
import { tinySpec } from "./tiny-spec.js";
import { WorkerProcess } from "./worker-process.js";

/** Experiments that are under way while there are faults to come, for each worker. */
const NUM_UNDER_WAY = 1.5;
const POLL_MS = 200;
/** The calm twins of a whole run are done one after the other. */
const TWINS_LIMIT_MS = 600_000;
/** An experiment that does not come to its end in this time, once it is calm, is lost. */
const CALM_LIMIT_MS = 180_000;

export interface ChaosOptions {
  readonly faults: number;
  readonly seed: number;
  readonly numWorkers: number;
  /** Of each experiment: how long it takes. */
  readonly outerSteps: number;
  readonly say: (text: string) => void;
}

/** All counts. */
export interface ChaosResult {
  readonly faults: number;
  readonly experiments: number;
  /** Experiments whose results are those of their calm twins, byte for byte. */
  readonly equal_to_calm: number;
  /** Accepted experiments that are not there, and metric points that no attempt reported. */
  readonly lost: number;
  /** Experiments more than were asked for, and metric points that count twice. */
  readonly duplicated: number;
  /** Experiments that were resumed by hand after a task of theirs had lost three workers. */
  readonly resumed: number;
  readonly by_kind: Readonly<Record<string, number>>;
}

/** Runs real experiments while faults happen, each of them in calm as well, and compares. */
export async function runChaos(options: ChaosOptions): Promise<ChaosResult> {
  const { say } = options;
  const chaotic = new System("chaotic", options.numWorkers);
  const calm = new System("calm", 1);
  try {
    await Promise.all([chaotic.start(), calm.start()]);
    const spec = await tinySpec(calm.client, options.outerSteps);
    const twins = new Map<string, Promise<Experiment>>();
    const storm = new Storm(chaotic, spec, options, (request, twin) => {
      const created = calm.client.create(twin, request);
      const ended = created.then(({ id }) => calm.ended(id));
      // It is waited for at the end, whatever becomes of it until then.
      ended.catch(() => undefined);
      twins.set(request, ended);
    });
    await storm.run();
    say(`${storm.requests.size} experiments have ended; what is left of their calm twins …`);
    const calmEnds = new Map<string, Experiment>();
    for (const [request, twin] of twins) calmEnds.set(request, await twin);
    const listed = await allExperiments(chaotic.client);
    await Promise.all([chaotic.stop(), calm.stop()]);
    return booksOf(storm, listed, chaotic.outcomes(listed), calmEnds, calm);
  } finally {
    await Promise.all([chaotic.stop(), calm.stop()]);
    for (const system of [chaotic, calm]) system.remove();
  }
}

function booksOf(
  storm: Storm,
  listed: readonly Experiment[],
  outcomes: ReadonlyMap<string, Outcome>,
  calmEnds: ReadonlyMap<string, Experiment>,
  calm: System,
): ChaosResult {
  const calmOutcomes = calm.outcomes([...calmEnds.values()]);
  const totals = { equal_to_calm: 0, lost: 0, duplicated: 0 };
  for (const [request, id] of storm.requests) {
    const chaotic = outcomes.get(id);
    const twin = calmOutcomes.get(calmEnds.get(request)?.id ?? "");
    if (!chaotic || !twin) {
      totals.lost++;
      continue;
    }
    const { isEqual, lost, duplicated } = compareOutcomes(twin, chaotic);
    if (isEqual) totals.equal_to_calm++;
    totals.lost += lost;
    totals.duplicated += duplicated;
    if (!isEqual || lost + duplicated > 0) {
      storm.say(`${id} differs: ${JSON.stringify({ isEqual, lost, duplicated })}`);
      if (!isEqual) storm.say(`  calm    ${twin.results}\n  chaotic ${chaotic.results}`);
    }
  }
  const accepted = new Set(storm.requests.values());
  totals.duplicated += listed.filter(({ id }) => !accepted.has(id)).length;
  return {
    faults: storm.numFaults,
    experiments: storm.requests.size,
    ...totals,
    resumed: storm.numResumed,
    by_kind: Object.fromEntries(storm.byKind),
  };
}

async function allExperiments(client: StillhouseClient): Promise<Experiment[]> {
  const found: Experiment[] = [];
  let token = "";
  do {
    const page = await client.list(100, token);
    found.push(...page.experiments);
    token = page.nextPageToken;
  } while (token !== "");
  return found;
}

/** A server, workers, and the proxies between them, in a home of their own. */
class System {
  readonly #home: string;
  readonly #numWorkers: number;
  readonly proxies: TcpProxy[] = [];
  readonly workers: WorkerProcess[] = [];
  #server: ServerProcess | undefined;
  #client: StillhouseClient | undefined;

  constructor(name: string, numWorkers: number) {
    this.#home = mkdtempSync(join(tmpdir(), `stillhouse-${name}-`));
    this.#numWorkers = numWorkers;
  }

  get server(): ServerProcess {
    return required(this.#server);
  }

  /** A client whose calls go through the proxy, so they may fail. */
  get client(): StillhouseClient {
    return required(this.#client);
  }

  async start(): Promise<void> {
    const zmq = await TcpProxy.listen();
    const grpc = await TcpProxy.listen();
    this.proxies.push(zmq, grpc);
    this.#client = new StillhouseClient(grpc.address);
    this.#server = new ServerProcess(this.#home, zmq, grpc);
    const logs = join(this.#home, "worker-logs");
    mkdirSync(logs);
    for (let index = 0; index < this.#numWorkers; index++) {
      const logPath = join(logs, `${index}.log`);
      const place = { zmq: `tcp://${zmq.address}`, grpc: grpc.address, logPath };
      this.workers.push(new WorkerProcess(`worker-${index}`, place));
    }
    await this.#server.start();
  }

  /** The experiment once it has ended. */
  async ended(id: string): Promise<Experiment> {
    const deadlineMs = performance.now() + TWINS_LIMIT_MS;
    while (performance.now() < deadlineMs) {
      const { experiment } = await this.client.get(id);
      if (experiment?.endTime) return experiment;
      await sleep(POLL_MS);
    }
    throw new Error(`experiment ${id} has not ended after ${TWINS_LIMIT_MS / 1000} s`);
  }

  /** What experiments left, by their ids; only once the server has stopped. */
  outcomes(experiments: readonly Experiment[]): Map<string, Outcome> {
    const { artifacts, database } = homePaths(this.#home);
    const file = new SqlFile(database);
    try {
      return new Map(experiments.map((each) => [each.id, outcomeOf(each, artifacts, file)]));
    } finally {
      file.close();
    }
  }

  async stop(): Promise<void> {
    this.#client?.close();
    await Promise.all(this.workers.map((worker) => worker.end()));
    await this.#server?.kill();
    for (const proxy of this.proxies) proxy.close();
  }

  remove(): void {
    rmSync(this.#home, { recursive: true, force: true, maxRetries: 3 });
  }
}

/** Submits experiments as long as faults happen, and waits for the end of all. */
class Storm {
  /** Ids of the experiments that were accepted, by request id. */
  readonly requests = new Map<string, string>();
  readonly byKind = new Map<string, number>();
  readonly say: (text: string) => void;
  numFaults = 0;
  numResumed = 0;
  readonly #system: System;
  readonly #spec: ExperimentSpec;
  readonly #faults: readonly Fault[];
  readonly #onAccepted: (request: string, spec: ExperimentSpec) => void;
  readonly #ending: Promise<void>[] = [];
  /** The server is started anew once, whatever else is under way. */
  #restart: Promise<void> = Promise.resolve();
  #isCalm = false;

  constructor(
    system: System,
    spec: ExperimentSpec,
    { faults, seed, say }: ChaosOptions,
    onAccepted: (request: string, spec: ExperimentSpec) => void,
  ) {
    this.#onAccepted = onAccepted;
    this.#system = system;
    this.#spec = spec;
    this.#faults = drawFaults(faults, seed, TIMINGS.leaseMs ?? 0);
    this.say = say;
  }

  async run(): Promise<void> {
    const submitting = this.#submit();
    for (const fault of this.#faults) {
      await sleep(fault.afterMs);
      this.#begin(fault);
    }
    await Promise.all(this.#ending);
    await this.#restart;
    for (const proxy of this.#system.proxies) proxy.mend();
    this.#isCalm = true;
    await submitting;
  }

  /** Experiments one after the other, a few at a time, through a client that does not give up. */
  async #submit(): Promise<void> {
    const underWay = new Set<Promise<void>>();
    for (let seed = 1; !this.#isCalm; seed++) {
      const experiment = this.#follow(seed);
      underWay.add(experiment);
      experiment.then(() => underWay.delete(experiment));
      if (underWay.size >= NUM_UNDER_WAY * this.#system.workers.length)
        await Promise.race(underWay);
    }
    await Promise.all(underWay);
  }

  async #follow(seed: number): Promise<void> {
    const request = `request ${seed}`;
    const { client } = this.#system;
    const spec = { ...this.#spec, seed };
    const { id } = await this.#patiently(() => client.create(spec, request));
    this.requests.set(request, id);
    this.#onAccepted(request, spec);
    let deadlineMs = Number.POSITIVE_INFINITY;
    while (performance.now() < deadlineMs) {
      const experiment = await this.#patiently(async () => (await client.get(id)).experiment);
      if (experiment?.state === State.STATE_SUCCEEDED) return;
      if (experiment?.state === State.STATE_FAILED && !(await this.#resume(experiment))) return;
      if (this.#isCalm) deadlineMs = Math.min(deadlineMs, performance.now() + CALM_LIMIT_MS);
      await sleep(POLL_MS);
    }
    this.say(`experiment ${id} has not ended after ${CALM_LIMIT_MS / 1000} s of calm`);
  }

  /**
   * A task is given up after three lost workers, which says nothing against it in a storm.
   *
   * @returns whether the experiment goes on
   */
  async #resume({ id, failure }: Experiment): Promise<boolean> {
    if (failure?.kind !== FailureKind.FAILURE_KIND_WORKER_LOST) {
      this.say(`experiment ${id} failed: ${failure?.message}\n${failure?.traceback}`);
      return false;
    }
    this.numResumed++;
    await this.#patiently(() => this.#system.client.resume(id));
    return true;
  }

  /** Calls again until there is an answer. */
  async #patiently<Result>(call: () => Promise<Result>): Promise<Result> {
    for (;;) {
      try {
        return await call();
      } catch (error) {
        const isPassing =
          error instanceof StillhouseError && error.kind === FailureKind.FAILURE_KIND_UNAVAILABLE;
        if (!isPassing) throw error;
        await sleep(POLL_MS);
      }
    }
  }

  #begin(fault: Fault): void {
    this.numFaults++;
    this.byKind.set(fault.kind, (this.byKind.get(fault.kind) ?? 0) + 1);
    const worker = required(this.#system.workers[fault.target % this.#system.workers.length]);
    const { server, proxies } = this.#system;
    this.say(
      `${this.numFaults}: ${fault.kind} ${fault.target % this.#system.workers.length} for ${fault.lastsMs} ms`,
    );
    switch (fault.kind) {
      case "kill worker":
        worker.signal("SIGKILL");
        break;
      case "pause worker":
        worker.signal("SIGSTOP");
        this.#later(fault, () => worker.signal("SIGCONT"));
        break;
      case "kill server":
        this.#restart = this.#restart.then(async () => {
          await server.kill();
          await server.start();
        });
        // A server that does not start is told of at the end.
        this.#restart.catch(() => undefined);
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
    }
  }

  #mend(): void {
    for (const proxy of this.#system.proxies) proxy.mend();
  }

  #later({ lastsMs }: Fault, action: () => void): void {
    this.#ending.push(sleep(lastsMs).then(action));
  }
}

function required<Value>(value: Value | undefined): Value {
  if (value === undefined) throw new Error("the system was not started");
  return value;
}
