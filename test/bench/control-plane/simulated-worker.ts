import { randomBytes } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { type Context, Dealer } from "zeromq";
import { TaskResult } from "../../../src/generated/stillhouse/v1/experiment.js";
import {
  type Assign,
  ControlMessage,
  Heartbeat,
  Hello,
  WorkerMessage,
} from "../../../src/generated/stillhouse/v1/worker.js";

type Said = NonNullable<WorkerMessage["kind"]>;
type Heard = NonNullable<ControlMessage["kind"]>;

/** As of real workers. */
const LONGEST_RECONNECT_MS = 2_000;
const LONGEST_WAIT_MS = 5_000;
const HELLO_AGAIN_MS = 8_000;
/** How often it looks whether there is a connection. */
const LOOK_MS = 200;
/** Workers of one host, which has a device each. */
const WORKERS_PER_HOST = 8;

/**
 * One of thousands of workers in a process: it joins and comes back as a real one does, holds the
 * task that it is given, and finishes it when it is told to.
 */
export class SimulatedWorker {
  readonly id: string;
  readonly #number: number;
  readonly #dealer: Dealer;
  #assign: Assign | undefined;
  #sending = Promise.resolve(true);
  #counter = 0n;
  #hasJoined = false;
  #isGreeting = false;
  #numFenced = 0;
  #onJoined: () => void = () => undefined;
  #onAcknowledged: () => void = () => undefined;
  #onAssigned: () => void = () => undefined;

  /** @param number its own among all */
  constructor(context: Context, address: string, number: number) {
    this.#number = number;
    this.id = `simulated-${number}`;
    this.#dealer = new Dealer({
      ...{ context, linger: 0, routingId: randomBytes(17).toString("hex") },
      // As in a real worker, nothing waits for a connection.
      ...{ immediate: true, sendTimeout: 0, reconnectMaxInterval: LONGEST_RECONNECT_MS },
    });
    this.#dealer.connect(address);
    void this.#receive();
  }

  get hasJoined(): boolean {
    return this.#hasJoined;
  }

  /** The id of its task; empty where it has none. */
  get taskId(): string {
    return this.#assign?.taskId ?? "";
  }

  /** How often it was told that its task is not its own. */
  get numFenced(): number {
    return this.#numFenced;
  }

  /** Says hello until it is welcome. */
  async join(): Promise<void> {
    if (this.#hasJoined || this.#isGreeting) return;
    this.#isGreeting = true;
    const joined = new Promise<void>((resolve) => {
      this.#onJoined = resolve;
    });
    while (!this.#hasJoined) {
      const isSent = await this.#send({ $case: "hello", value: this.#hello() });
      await Promise.race([joined, sleep(isSent ? HELLO_AGAIN_MS : LOOK_MS)]);
    }
    this.#isGreeting = false;
  }

  async heartbeat(): Promise<void> {
    if (!this.#hasJoined) return;
    this.#counter++;
    const value = Heartbeat.fromPartial({ ...this.#claim(), progressCounter: this.#counter });
    if (!(await this.#send({ $case: "heartbeat", value }))) this.#lost();
  }

  /** Hands in the result of its task, and waits until that is stored and it has another one. */
  async finish(): Promise<void> {
    const { work } = this.#assign ?? {};
    const initSeeds = work?.kind?.$case === "baseline" ? work.kind.value.initSeeds : [];
    const inits = initSeeds.map((initSeed) => ({ initSeed, accuracy: 0.9 }));
    const value = TaskResult.fromPartial({ kind: { $case: "learners", value: { inits } } });
    const stored = new Promise<void>((resolve) => {
      this.#onAcknowledged = resolve;
    });
    const assigned = new Promise<void>((resolve) => {
      this.#onAssigned = resolve;
    });
    const report = { ...this.#claim(), number: 1n, kind: { $case: "result", value } as const };
    await this.#send({ $case: "report", value: report });
    await Promise.all([stored, assigned]);
  }

  close(): void {
    this.#dealer.close();
  }

  #hello(): Hello {
    return Hello.fromPartial({
      ...{ workerId: this.id, device: "cpu", pid: process.pid, protocol: 2, ...this.#claim() },
      host: `host-${Math.floor(this.#number / WORKERS_PER_HOST)}`,
    });
  }

  #claim() {
    const { taskId = "", attempt = 0, secret = Buffer.alloc(0) } = this.#assign ?? {};
    return { taskId, attempt, secret };
  }

  /** @returns whether there was a connection */
  #send(kind: Said): Promise<boolean> {
    const frame = Buffer.from(WorkerMessage.encode({ kind }).finish());
    // ZeroMQ refuses a message while another one is on its way.
    this.#sending = this.#sending.then(async () => {
      try {
        await this.#dealer.send(frame);
        return true;
      } catch {
        return false;
      }
    });
    return this.#sending;
  }

  async #receive(): Promise<void> {
    for await (const [frame] of this.#dealer) {
      const { kind } = ControlMessage.decode(frame as Buffer);
      if (kind) this.#take(kind);
    }
  }

  #take(heard: Heard): void {
    switch (heard.$case) {
      case "welcome":
        this.#hasJoined = true;
        this.#onJoined();
        break;
      case "introduce":
        this.#lost();
        break;
      case "assign":
        this.#assign = heard.value;
        this.#onAssigned();
        break;
      case "acknowledge":
        if (heard.value.fenced) {
          this.#numFenced++;
          this.#assign = undefined;
        } else this.#onAcknowledged();
        break;
    }
  }

  /** The control plane was away, or does not know it. */
  #lost(): void {
    if (!this.#hasJoined) return;
    this.#hasJoined = false;
    void this.#comeBack();
  }

  /** All would say hello in the same moment otherwise. */
  async #comeBack(): Promise<void> {
    while (!this.#dealer.writable) await sleep(LOOK_MS);
    await sleep(Math.random() * LONGEST_WAIT_MS);
    await this.join();
  }
}
