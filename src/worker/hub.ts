import { Context, Router } from "zeromq";
import { cannotListen } from "../errors.js";
import type { Log } from "../experiment/domain/ports.js";
import type { WorkerListener } from "../experiment/domain/worker-ports.js";
import { ControlMessage, type Hello, WorkerMessage } from "../generated/stillhouse/v1/worker.js";
import { boundMessage } from "../messages/bound-message.js";
import { Connections } from "./connections.js";
import { CurveGate, type CurveServer, ZAP_DOMAIN } from "./curve-gate.js";
import { WorkerDoor, type WorkerDoorOptions } from "./door/worker-door.js";
import { valueFault } from "./message-values.js";
import { SendQueue } from "./send-queue.js";

/** Frames that wait for one worker, or of one worker for us, before the sender is held up. */
const HIGH_WATER_MARK = 1_000;
/** A batch of metrics takes a few KB; artifacts go another way. */
const MAX_FRAME_BYTES = 16 * 1024 * 1024;
/** A worker whose queue stays full for this long no longer reads. */
const SEND_TIMEOUT_MS = 1_000;
/** How long messages are handled before other work has its turn. */
const TURN_MS = 10;

/** Thousands of workers may connect in one moment; the system has a limit of its own. */
const BACKLOG = 4_096;

const SOCKET_OPTIONS = {
  backlog: BACKLOG,
  // A message to a lost worker fails at once instead of being dropped silently.
  mandatory: true,
  // A worker that reconnects takes over the routing id of its lost connection.
  handover: true,
  sendHighWaterMark: HIGH_WATER_MARK,
  receiveHighWaterMark: HIGH_WATER_MARK,
  sendTimeout: SEND_TIMEOUT_MS,
  maxMessageSize: MAX_FRAME_BYTES,
  linger: 0,
};

type Kind = NonNullable<WorkerMessage["kind"]>;

interface Received {
  readonly routingId: Buffer;
  readonly kind: Kind;
  /** Why it cannot be taken in. */
  readonly fault?: string | undefined;
}

/**
 * The control plane's end of ZeroMQ: a ROUTER to which workers connect with a DEALER, with one
 * protobuf message per frame. A DEALER's routing id is random and known only to its process. Its
 * hello says which worker it is, and `admit` of the listener whether it may be that one.
 */
export class WorkerHub {
  readonly #router: Router;
  readonly #door: WorkerDoor;
  readonly #gate: CurveGate | undefined;
  readonly #queue: SendQueue;
  readonly #log: Log;
  readonly #connections = new Connections();
  #receiving: Promise<void> = Promise.resolve();

  /**
   * @param curve absent: workers need no keys
   * @param door which connections get as far as to ZeroMQ
   */
  constructor(log: Log, curve?: CurveServer, door?: WorkerDoorOptions) {
    this.#log = log;
    this.#door = new WorkerDoor(log, curve !== undefined, door);
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
    await this.#router.bind(`ipc://${this.#door.path}`);
    const name = host.includes(":") ? `[${host}]` : host;
    try {
      return `tcp://${name}:${await this.#door.listen(host, port)}`;
    } catch (error) {
      throw cannotListen("workers", `${name}:${port}`, error as Error);
    }
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
    const routingId = this.#connections.of(workerId);
    if (routingId !== undefined) this.#sendTo(routingId, kind, onUnreachable);
    // Called later, as for a lost connection, since the caller is in the middle of something.
    else queueMicrotask(() => onUnreachable("it has no connection"));
  }

  async close(): Promise<void> {
    await this.#queue.flushed();
    this.#router.close();
    await this.#receiving;
    await this.#door.close();
    await this.#gate?.close();
  }

  #sendTo(
    routingId: Buffer,
    kind: NonNullable<ControlMessage["kind"]>,
    onUnreachable: (reason: string) => void = () => undefined,
  ): void {
    const frame = Buffer.from(ControlMessage.encode({ kind }).finish());
    this.#queue.push([routingId, frame], (error) =>
      onUnreachable(`a message to it could not be delivered (${error.message})`),
    );
  }

  async #receive(listener: WorkerListener): Promise<void> {
    let turnBeganMs = performance.now();
    for await (const frames of this.#router) {
      const message = this.#decode(frames);
      if (message) this.#takeAlone(listener, message);
      if (performance.now() - turnBeganMs < TURN_MS) continue;
      // Waiting messages would come without a pause, while calls and timers wait.
      await new Promise((resolve) => setImmediate(resolve));
      turnBeganMs = performance.now();
    }
  }

  /** An error in handling one message does not stop the others. */
  #takeAlone(listener: WorkerListener, message: Received): void {
    const { routingId, kind } = message;
    try {
      this.#take(listener, message);
    } catch (error) {
      const { stack } = error as Error;
      const sender = this.#connections.workerAt(routingId) ?? "nobody known";
      this.#log.error(`a ${kind.$case} of worker ${JSON.stringify(sender)} was left: ${stack}`);
    }
  }

  #take(listener: WorkerListener, { routingId, kind, fault }: Received): void {
    if (kind.$case === "hello") {
      this.#takeHello(listener, routingId, kind.value);
      return;
    }
    const workerId = this.#connections.workerAt(routingId);
    if (workerId !== undefined) {
      deliver(listener, workerId, kind, fault);
      if (kind.$case === "goodbye") this.#connections.unbind(workerId);
    } else if (kind.$case !== "goodbye") {
      // Its identity is unknown. It sends its messages again after it has introduced itself.
      this.#sendTo(routingId, { $case: "introduce", value: {} });
    }
  }

  #takeHello(listener: WorkerListener, routingId: Buffer, hello: Hello): void {
    const admission = listener.admit(hello);
    if (admission.kind === "refused") {
      this.#sendTo(routingId, { $case: "shutdown", value: { reason: admission.reason } });
    } else if (admission.kind === "admitted") {
      this.#connections.bind(hello.workerId, routingId);
      // The token has done its work; further in it could only end in a log.
      listener.ready({ ...hello, token: "" });
    }
  }

  /** Logs and drops invalid messages, so that no peer can stop the others. */
  #decode(frames: Buffer[]): Received | undefined {
    const [routingId, frame] = frames;
    if (!routingId || !frame || frames.length !== 2) {
      this.#log.warn(`a message of ${frames.length} frames from a worker was dropped, expected 2`);
      return undefined;
    }
    const sender = this.#connections.workerAt(routingId) ?? "nobody known";
    try {
      const { kind } = WorkerMessage.decode(frame);
      const fault = faultOf(kind);
      if (kind && fault === undefined) return { routingId, kind };
      // It would come again for ever, so its attempt ends by it.
      if (kind && mustBeAnswered(kind)) return { routingId, kind, fault };
      this.#log.warn(`a message from ${JSON.stringify(sender)} was dropped: ${fault}`);
    } catch (error) {
      const { message } = error as Error;
      this.#log.warn(`a frame from ${JSON.stringify(sender)} was dropped: ${message}`);
    }
    return undefined;
  }
}

function curveOptions({ secretKey }: CurveServer) {
  // Without an answer of the gate nobody gets in.
  const gate = { zapDomain: ZAP_DOMAIN, zapEnforceDomain: true };
  return { curveServer: true, curveSecretKey: secretKey, ...gate };
}

function faultOf(kind: WorkerMessage["kind"]): string | undefined {
  if (kind === undefined) return "it has no kind";
  if (kind.$case === "report" && kind.value.kind === undefined) return "its report is empty";
  // Texts that people only read are cut here.
  return valueFault(kind.value) ?? boundMessage("WorkerMessage", { kind })?.sentence;
}

/** A worker sends its numbered reports until they are acknowledged. */
function mustBeAnswered(kind: Kind): boolean {
  const report = kind.$case === "report" ? kind.value.kind : undefined;
  return report !== undefined && report.$case !== "progress";
}

function deliver(
  listener: WorkerListener,
  workerId: string,
  kind: Exclude<Kind, { $case: "hello" }>,
  fault: string | undefined,
): void {
  switch (kind.$case) {
    case "heartbeat":
      listener.heartbeat(workerId, kind.value);
      break;
    case "report":
      listener.report(workerId, kind.value, fault);
      break;
    case "goodbye":
      listener.gone(workerId, "it said goodbye");
      break;
  }
}
