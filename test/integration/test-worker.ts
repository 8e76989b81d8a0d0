import { createHash, randomBytes } from "node:crypto";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { Dealer } from "zeromq";
import { channelOf } from "../../src/api/endpoint.js";
import {
  type Artifact,
  type ArtifactFile,
  type Checkpoint,
  TaskResult,
} from "../../src/generated/stillhouse/v1/experiment.js";
import {
  ArtifactServiceClient,
  DownloadArtifactRequest,
  type DownloadArtifactResponse,
  type DownloadCheckpointResponse,
} from "../../src/generated/stillhouse/v1/service.js";
import {
  type Assign,
  ControlMessage,
  Heartbeat,
  Hello,
  type TaskReport,
  WorkerMessage,
} from "../../src/generated/stillhouse/v1/worker.js";

import { readCurveKey } from "../../src/security/keys/curve-certificate.js";
import { readPartyKeys } from "../../src/security/keys/read-keys.js";

type Control = NonNullable<ControlMessage["kind"]>;
type ReportKind = NonNullable<TaskReport["kind"]>;
type Value<Kind extends Control["$case"]> = Extract<Control, { $case: Kind }>["value"];

/** The part of an assignment that proves who holds it. */
type LeaseClaim = Pick<Assign, "taskId" | "attempt" | "secret">;

export interface Addresses {
  readonly zmq: string;
  readonly grpc: string;
  /** Folder of the worker's keys; absent where it has none. */
  readonly keys?: string;
}

function curveOptions(keys: string | undefined) {
  if (keys === undefined || !existsSync(join(keys, "curve.key_secret"))) return {};
  const read = (name: string, which: "public-key" | "secret-key") =>
    readCurveKey(readFileSync(join(keys, name), "utf8"), which, name);
  return {
    curveServerKey: read("control-plane.key", "public-key"),
    curvePublicKey: read("curve.key_secret", "public-key"),
    curveSecretKey: read("curve.key_secret", "secret-key"),
  };
}

/** A worker that computes nothing but speaks worker.proto, driven by a test. */
export class TestWorker {
  readonly id: string;
  #addresses: Addresses;
  readonly #dealer: Dealer;
  readonly #received: Control[] = [];
  readonly #waiters: { kind: string; resolve: (control: Control) => void }[] = [];
  #sending: Promise<unknown> = Promise.resolve();
  #progressCounter = 0n;
  #number = 0n;

  /** @param routingId of its socket; by default random, like that of a real worker */
  constructor(addresses: Addresses, id: string, routingId = randomBytes(17).toString("hex")) {
    this.id = id;
    this.#addresses = addresses;
    this.#dealer = new Dealer({
      routingId,
      linger: 0,
      ipv6: true,
      ...curveOptions(addresses.keys),
    });
    this.#dealer.connect(addresses.zmq);
    void this.#receive();
  }

  /** A worker that has been welcomed. */
  static async connected(addresses: Addresses, id: string): Promise<TestWorker> {
    const worker = new TestWorker(addresses, id);
    await worker.hello();
    await worker.next("welcome");
    return worker;
  }

  /** Sends and fetches artifacts at other addresses from now on. */
  move(addresses: Addresses): void {
    this.#addresses = addresses;
  }

  /** @param inHand the task that it claims to work on */
  async hello(pid = process.pid, inHand: Partial<Hello> = {}): Promise<void> {
    const value = Hello.fromPartial({
      workerId: this.id,
      device: "cpu",
      pid,
      host: "h",
      protocol: 2,
      token: this.#token,
      ...inHand,
    });
    await this.send({ $case: "hello", value });
  }

  /** The next message of a kind, also one that has arrived already. */
  async next<Kind extends Control["$case"]>(kind: Kind): Promise<Value<Kind>> {
    const index = this.#received.findIndex((control) => control.$case === kind);
    const [there] = index < 0 ? [] : this.#received.splice(index, 1);
    const control =
      there ?? (await new Promise<Control>((resolve) => this.#waiters.push({ kind, resolve })));
    return control.value as Value<Kind>;
  }

  /** The next task; its reports are numbered from 1. */
  async nextTask(): Promise<Assign> {
    const assign = await this.next("assign");
    this.#number = 0n;
    return assign;
  }

  async send(kind: NonNullable<WorkerMessage["kind"]>): Promise<void> {
    await this.sendRaw(Buffer.from(WorkerMessage.encode({ kind }).finish()));
  }

  async sendRaw(...frames: Buffer[]): Promise<void> {
    this.#sending = this.#sending.then(() => this.#dealer.send(frames));
    await this.#sending;
  }

  async heartbeat(assign: Partial<LeaseClaim>, advances = true): Promise<void> {
    if (advances) this.#progressCounter++;
    const value = Heartbeat.fromPartial({
      ...claimOf(assign),
      progressCounter: this.#progressCounter,
    });
    await this.send({ $case: "heartbeat", value });
  }

  /** Sends a report under its number, the next one where none is given. */
  async report(assign: Assign, kind: ReportKind, number?: bigint): Promise<void> {
    if (number === undefined && kind.$case !== "progress") this.#number++;
    const used = kind.$case === "progress" ? 0n : (number ?? this.#number);
    await this.send({ $case: "report", value: { ...claimOf(assign), number: used, kind } });
  }

  /** Reports and waits until that is stored. */
  async reported(assign: Assign, kind: ReportKind): Promise<Value<"acknowledge">> {
    await this.report(assign, kind);
    return this.next("acknowledge");
  }

  upload(assign: Assign, contents: Record<string, string>, cutOff = false): Promise<Artifact> {
    const entries = Object.entries(contents).map(([n, text]) => [n, Buffer.from(text)] as const);
    const files = entries.map(([name, bytes]) => ({
      name,
      size: BigInt(bytes.length),
      sha256: createHash("sha256").update(bytes).digest("hex"),
    }));
    const client = this.#artifactClient();
    return new Promise<Artifact>((resolve, reject) => {
      const call = client.uploadArtifact((error, response) => {
        client.close();
        if (error) reject(error);
        else if (response.artifact) resolve(response.artifact);
      });
      call.write({ part: { $case: "header", value: { ...claimOf(assign), files } } });
      for (const [, bytes] of entries) call.write({ part: { $case: "chunk", value: bytes } });
      if (cutOff) call.cancel();
      else call.end();
    });
  }

  /** A part of a file, and what the first chunk says about the whole file. */
  download(
    artifactId: string,
    fileName: string,
    part: { offset?: bigint; length?: bigint } & Partial<LeaseClaim> = {},
  ): Promise<{ text: string; file: ArtifactFile | undefined }> {
    const client = this.#artifactClient();
    const chunks: Buffer[] = [];
    let file: ArtifactFile | undefined;
    return new Promise<{ text: string; file: ArtifactFile | undefined }>((resolve, reject) => {
      const call = client.downloadArtifact(
        DownloadArtifactRequest.fromPartial({ artifactId, fileName, ...part }),
      );
      call.on("data", (response: DownloadArtifactResponse) => {
        chunks.push(response.chunk);
        file ??= response.file;
      });
      call.on("error", reject);
      call.on("end", () => resolve({ text: Buffer.concat(chunks).toString(), file }));
    }).finally(() => client.close());
  }

  /** @param announced what the header says otherwise than it is */
  uploadCheckpoint(
    lease: LeaseClaim,
    step: number,
    text: string,
    announced: Partial<Checkpoint> = {},
  ): Promise<void> {
    const client = this.#artifactClient();
    const checkpoint = { ...checkpointOf(step, text), ...announced };
    return new Promise<void>((resolve, reject) => {
      const call = client.uploadCheckpoint((error) => (error ? reject(error) : resolve()));
      call.write({ part: { $case: "header", value: { ...claimOf(lease), checkpoint } } });
      call.write({ part: { $case: "chunk", value: Buffer.from(text) } });
      call.end();
    }).finally(() => client.close());
  }

  downloadCheckpoint(lease: LeaseClaim, checkpoint: Checkpoint): Promise<string> {
    const client = this.#artifactClient();
    const chunks: Buffer[] = [];
    return new Promise<string>((resolve, reject) => {
      const call = client.downloadCheckpoint({ ...claimOf(lease), checkpoint });
      call.on("data", ({ chunk }: DownloadCheckpointResponse) => chunks.push(chunk));
      call.on("error", reject);
      call.on("end", () => resolve(Buffer.concat(chunks).toString()));
    }).finally(() => client.close());
  }

  /** Does a task as a real worker would, in no time. */
  async finish(assign: Assign): Promise<Value<"acknowledge">> {
    return this.reported(assign, { $case: "result", value: await this.result(assign) });
  }

  /** The result of a task, whose artifact is uploaded first. */
  async result(assign: Assign): Promise<TaskResult> {
    if (assign.work?.kind?.$case === "distill") {
      const artifact = await this.upload(assign, { "distilled.safetensors": "x", "m.json": "{}" });
      return TaskResult.fromPartial({
        kind: { $case: "distill", value: { artifact, keptStep: 1 } },
      });
    }
    const inits = (assign.work?.kind?.value.initSeeds ?? []).map((initSeed) => ({
      initSeed,
      accuracy: 0.9,
    }));
    return TaskResult.fromPartial({ kind: { $case: "learners", value: { inits } } });
  }

  async finishNext(): Promise<Assign> {
    const assign = await this.nextTask();
    await this.finish(assign);
    return assign;
  }

  get #token(): string {
    const { keys } = this.#addresses;
    return keys === undefined || keys === "" ? "" : (readPartyKeys(keys).token ?? "");
  }

  close(): void {
    this.#dealer.close();
  }

  #artifactClient(): ArtifactServiceClient {
    const { grpc, keys } = this.#addresses;
    const endpoint = { address: grpc, ...(keys === undefined ? {} : readPartyKeys(keys)) };
    const { address, credentials, options } = channelOf(endpoint);
    return new ArtifactServiceClient(address, credentials, options);
  }

  async #receive(): Promise<void> {
    for await (const [frame] of this.#dealer) {
      const { kind } = ControlMessage.decode(frame as Buffer);
      if (!kind) continue;
      const index = this.#waiters.findIndex((waiter) => waiter.kind === kind.$case);
      const [waiter] = index < 0 ? [] : this.#waiters.splice(index, 1);
      if (waiter) waiter.resolve(kind);
      else this.#received.push(kind);
    }
  }
}

export function checkpointOf(step: number, text: string): Checkpoint {
  const sha256 = createHash("sha256").update(text).digest("hex");
  return { kind: "training", step: BigInt(step), size: BigInt(Buffer.byteLength(text)), sha256 };
}

/** The fields of an assignment that messages about it begin with. */
export function claimOf(assign: Partial<LeaseClaim>): LeaseClaim {
  const { taskId = "", attempt = 0, secret = Buffer.alloc(0) } = assign;
  return { taskId, attempt, secret };
}

/** A worker process: `-m stillhouse_worker worker --connect … --grpc … --id … [--parent …]`. */
async function serve(argv: string[]): Promise<void> {
  const option = (name: string) => (argv.includes(name) ? argv[argv.indexOf(name) + 1] : "") ?? "";
  const addresses = {
    zmq: option("--connect"),
    grpc: option("--grpc"),
    keys: option("--keys"),
  };
  const parent = Number(option("--parent") || process.ppid);
  const ending = new AbortController();
  setInterval(() => process.ppid === parent || process.exit(3), 100).unref();
  const worker = await TestWorker.connected(addresses, option("--id"));
  process.on("SIGTERM", () => ending.abort());
  void worker.next("shutdown").then(() => ending.abort());
  while (!ending.signal.aborted) {
    const assign = await Promise.race([worker.nextTask(), aborted(ending.signal)]);
    if (assign === undefined) break;
    const isDone = new AbortController();
    void introduced(worker, assign, isDone.signal);
    await runTask(worker, assign, ending.signal);
    isDone.abort();
    // It has nothing in hand, whatever it said when it introduced itself.
    await worker.heartbeat({});
  }
  await worker.send({ $case: "goodbye", value: {} });
  process.exit(0);
}

/** A control plane that was started again does not know the worker, which says hello again. */
async function introduced(worker: TestWorker, assign: Assign, isDone: AbortSignal): Promise<void> {
  const done = aborted(isDone);
  while (await Promise.race([worker.next("introduce"), done])) {
    if (isDone.aborted) return;
    await worker.hello(process.pid, claimOf(assign));
  }
}

/**
 * Counts to TEST_WORKER_STEPS, with a pause and a checkpoint at each step, and goes on until the
 * file TEST_WORKER_GATE is there, where one is named.
 */
async function runTask(worker: TestWorker, assign: Assign, ending: AbortSignal): Promise<void> {
  const steps = Number(process.env.TEST_WORKER_STEPS ?? 1);
  const gate = process.env.TEST_WORKER_GATE;
  const checkpoint = join(assign.workDir, "step");
  let cancelled = false;
  void worker.next("cancel").then(() => {
    cancelled = true;
  });
  let step = readStep(checkpoint);
  const from = step;
  const isShut = () => gate !== undefined && !existsSync(gate);
  while ((step < steps || isShut()) && !cancelled && !ending.aborted) {
    await sleep(20);
    step++;
    writeFileSync(checkpoint, String(step));
    const progress = { stage: "counting", done: BigInt(step), total: BigInt(steps) };
    const rest = { perSecond: 50, secondsLeft: 0, values: { from } };
    await worker.heartbeat(assign);
    await worker.report(assign, { $case: "progress", value: { ...progress, ...rest } });
  }
  if (step < steps || isShut())
    await worker.reported(assign, { $case: "stopped", value: { time: undefined } });
  else await worker.finish(assign);
}

function readStep(checkpoint: string): number {
  try {
    return Number(readFileSync(checkpoint, "utf8"));
  } catch {
    return 0;
  }
}

function aborted(signal: AbortSignal): Promise<undefined> {
  return new Promise((resolve) => signal.addEventListener("abort", () => resolve(undefined)));
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await serve(process.argv.slice(2));
