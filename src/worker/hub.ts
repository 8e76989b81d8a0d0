import { Context, Router } from "zeromq";
import { cannotListen } from "../errors.js";
import type { Log, WorkerListener } from "../experiment/ports.js";
import { ControlMessage, WorkerMessage } from "../generated/stillhouse/v1/worker.js";
import { CurveGate, type CurveServer, ZAP_DOMAIN } from "./curve-gate.js";
import { SendQueue } from "./send-queue.js";

/** Frames that wait for one worker, or of one worker for us, before the sender is held up. */
const HIGH_WATER_MARK = 1_000;
/** A batch of metrics takes a few KB; artifacts go another way. */
const MAX_FRAME_BYTES = 16 * 1024 * 1024;
/** A worker whose queue stays full for so long does not read any more. */
const SEND_TIMEOUT_MS = 1_000;
const MAX_WORKER_ID_BYTES = 128;
/** Messages are taken in for so long before others have their turn. */
const TURN_MS = 10;

const SOCKET_OPTIONS = {
  // A send to a worker that is gone fails at once instead of being dropped in silence.
  mandatory: true,
  // A worker that connects anew takes its identity over from its lost connection.
  handover: true,
  sendHighWaterMark: HIGH_WATER_MARK,
  receiveHighWaterMark: HIGH_WATER_MARK,
  sendTimeout: SEND_TIMEOUT_MS,
  maxMessageSize: MAX_FRAME_BYTES,
  linger: 0,
};

/**
 * The control plane's end of ZeroMQ: a ROUTER that workers connect to with a DEALER whose identity
 * is their worker id. One protobuf message a frame.
 */
export class WorkerHub {
  readonly #router: Router;
  readonly #gate: CurveGate | undefined;
  readonly #queue: SendQueue;
  readonly #log: Log;
  #receiving: Promise<void> = Promise.resolve();

  /** @param curve absent: workers need no keys */
  constructor(log: Log, curve?: CurveServer) {
    this.#log = log;
    if (curve) {
      // A gate guards all sockets of its context, so this one has a context of its own.
      const context = new Context();
      this.#gate = new CurveGate(context, curve, log);
      this.#router = new Router({ ...SOCKET_OPTIONS, ...curveOptions(curve), context });
    } else {
      this.#router = new Router(SOCKET_OPTIONS);
    }
    this.#queue = new SendQueue(this.#router);
  }

  /**
   * From here on workers can connect; what they say waits for `open`.
   *
   * @param host address to bind
   * @param port 0 for one of the system's choice
   * @returns the address, tcp://HOST:PORT
   * @throws CONFLICT when the port is taken, INVALID when the address is not of this machine
   */
  async bind(host: string, port: number): Promise<string> {
    await this.#gate?.open();
    if (host.includes(":")) this.#router.ipv6 = true;
    const name = host.includes(":") ? `[${host}]` : host;
    try {
      await this.#router.bind(`tcp://${name}:${port === 0 ? "*" : port}`);
    } catch (error) {
      throw cannotListen("workers", `${name}:${port}`, error as Error);
    }
    const address = this.#router.lastEndpoint;
    if (address === null) throw new Error("ZeroMQ bound a socket but tells no address");
    return address;
  }

  open(listener: WorkerListener): void {
    this.#receiving = this.#receive(listener);
  }

  /** @param onUnreachable called when the message cannot be delivered */
  send(
    workerId: string,
    kind: NonNullable<ControlMessage["kind"]>,
    onUnreachable: (reason: string) => void,
  ): void {
    const frame = Buffer.from(ControlMessage.encode({ kind }).finish());
    this.#queue.push([Buffer.from(workerId), frame], (error) =>
      onUnreachable(`a message to it could not be delivered (${error.message})`),
    );
  }

  async close(): Promise<void> {
    await this.#queue.flushed();
    this.#router.close();
    await this.#receiving;
    await this.#gate?.close();
  }

  async #receive(listener: WorkerListener): Promise<void> {
    let turnBeganMs = performance.now();
    for await (const frames of this.#router) {
      const message = this.#decode(frames);
      if (message) this.#deliver(listener, message.workerId, message.kind);
      if (performance.now() - turnBeganMs < TURN_MS) continue;
      // Messages that are there already come without a pause, in which calls and timers would wait.
      await new Promise((resolve) => setImmediate(resolve));
      turnBeganMs = performance.now();
    }
  }

  /** A message that makes us throw stops no other. */
  #deliver(
    listener: WorkerListener,
    workerId: string,
    kind: NonNullable<WorkerMessage["kind"]>,
  ): void {
    try {
      deliver(listener, workerId, kind);
    } catch (error) {
      const { stack } = error as Error;
      this.#log.error(`a ${kind.$case} of worker ${JSON.stringify(workerId)} was left: ${stack}`);
    }
  }

  /** What is no message of ours is logged and dropped: no peer can stop the others. */
  #decode(frames: Buffer[]) {
    const [identity, frame] = frames;
    if (!identity || !frame || frames.length !== 2 || identity.length > MAX_WORKER_ID_BYTES) {
      this.#log.warn(`a message of ${frames.length} frames from a worker was dropped, expected 2`);
      return undefined;
    }
    const workerId = identity.toString();
    try {
      const { kind } = WorkerMessage.decode(frame);
      const fault = faultOf(kind, workerId);
      if (kind && fault === undefined) return { workerId, kind };
      this.#log.warn(`a message from ${JSON.stringify(workerId)} was dropped: ${fault}`);
    } catch (error) {
      const { message } = error as Error;
      this.#log.warn(`a frame from ${JSON.stringify(workerId)} was dropped: ${message}`);
    }
    return undefined;
  }
}

function curveOptions({ secretKey }: CurveServer) {
  // Without an answer of the gate nobody gets in.
  const gate = { zapDomain: ZAP_DOMAIN, zapEnforceDomain: true };
  return { curveServer: true, curveSecretKey: secretKey, ...gate };
}

function faultOf(kind: WorkerMessage["kind"], workerId: string): string | undefined {
  if (kind === undefined) return "it has no kind";
  if (kind.$case === "hello" && kind.value.workerId !== workerId) {
    return `its worker id is ${JSON.stringify(kind.value.workerId)}`;
  }
  if (kind.$case !== "report") return undefined;
  const { kind: report } = kind.value;
  if (report === undefined) return "its report is empty";
  // SQLite holds 63 bits; no true counter comes near.
  const isTooLarge = (count: bigint) => count > BigInt(Number.MAX_SAFE_INTEGER);
  const points = report.$case === "metrics" ? report.value.points : [];
  return points.some(({ sequence, step }) => isTooLarge(sequence) || isTooLarge(step))
    ? "a metric has a step beyond 2^53"
    : undefined;
}

function deliver(
  listener: WorkerListener,
  workerId: string,
  kind: NonNullable<WorkerMessage["kind"]>,
): void {
  switch (kind.$case) {
    case "hello":
      listener.ready(kind.value);
      break;
    case "heartbeat":
      listener.heartbeat(workerId, kind.value);
      break;
    case "report":
      listener.report(workerId, kind.value);
      break;
    case "goodbye":
      listener.gone(workerId, "it said goodbye");
      break;
  }
}
