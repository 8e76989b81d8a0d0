import fc from "fast-check";
import type { LeaseClaim } from "../../src/experiment/scheduling/lease-claims.js";
import { MetricPoint } from "../../src/generated/stillhouse/v1/experiment.js";
import { Failure } from "../../src/generated/stillhouse/v1/failure.js";
import { WorkerMessage } from "../../src/generated/stillhouse/v1/worker.js";
import type { MeasuredPlane } from "../bench/control-plane/measured-plane.js";
import { quickSpec } from "../fixtures/experiments.js";
import { claimOf, type TestWorker } from "../integration/test-worker.js";
import { DutifulWorker } from "./dutiful-worker.js";
import { extremeBytes, type Recipe, recipes } from "./extremes.js";
import { parametersOf, type Target, withPlane } from "./target.js";
import { malformed } from "./wire.js";

const ID = "vandal";
/** Different from the dutiful worker's, so that each gets its own tasks. */
const DEVICE = "cuda:0";
const NO_CLAIM: LeaseClaim = claimOf({ taskId: "x-distill", attempt: 1 });

/** A correct message of every kind from a worker with this lease. */
function examples(claim: LeaseClaim): WorkerMessage[] {
  const at = new Date(0);
  const point = MetricPoint.fromPartial({ sequence: 1n, name: "loss", step: 1n, time: at });
  const cause = Failure.fromPartial({ message: "why" });
  const report = (kind: object) => ({ report: { ...claim, number: 1n, ...kind } });
  const messages = [
    { hello: { workerId: ID, device: DEVICE, pid: 1, host: "h", protocol: 2, ...claim } },
    { heartbeat: { ...claim, progressCounter: 5n, memoryTotalBytes: 9n, utilisation: 0.5 } },
    report({ metrics: { points: [point, { ...point, sequence: 2n }] } }),
    report({ log: { level: 2, message: "text", time: at } }),
    report({ progress: { stage: "s", done: 1n, total: 2n, perSecond: 1, values: { loss: 1 } } }),
    report({ result: { wallTimeS: 1, learners: { inits: [{ initSeed: 1, accuracy: 0.5 }] } } }),
    report({ failure: { kind: "FAILURE_KIND_INTERNAL", message: "m", cause } }),
    report({ stopped: { time: at } }),
    { goodbye: {} },
  ];
  return messages.map((message) => WorkerMessage.fromJSON(jsonOf(message)));
}

function jsonOf(message: object): unknown {
  return JSON.parse(
    JSON.stringify(message, (_, value) => {
      if (typeof value === "bigint") return String(value);
      return value instanceof Uint8Array ? Buffer.from(value).toString("base64") : value;
    }),
  );
}

/** Arbitrary frames, or messages for the worker's own lease with extreme values. */
type Case = { readonly frames: readonly Buffer[] } | { readonly said: readonly Recipe[] };

function cases(): fc.Arbitrary<Case> {
  const bytes = examples(NO_CLAIM).map((message) => WorkerMessage.encode(message).finish());
  const frames = fc.array(malformed(bytes), { minLength: 1, maxLength: 3 });
  const said = fc.array(recipes(), { minLength: 1, maxLength: 4 });
  return fc.oneof(fc.record({ frames }), { weight: 2, arbitrary: fc.record({ said }) });
}

/**
 * Whatever a peer sends, even one that holds a task, is dropped or taken as a message of its kind,
 * and the tasks of others are still dispatched and done.
 */
export const fuzzZeroMq: Target = (extent) =>
  withPlane(extent, async (plane, fed) => {
    const dutiful = await DutifulWorker.start(plane);
    let numHeld = 0;
    const property = fc.asyncProperty(cases(), async (sent) => {
      const held = await HeldTask.take(plane, numHeld++);
      if ("frames" in sent) await held.worker.sendRaw(...sent.frames);
      else for (const recipe of sent.said) await held.worker.sendRaw(held.said(recipe));
      await dutiful.showsThatTasksAreDone();
      await held.release();
      await fed();
    });
    await fc.assert(property, parametersOf(extent));
  });

/** A task that is leased to a worker of its own. */
class HeldTask {
  readonly worker: TestWorker;
  readonly #plane: MeasuredPlane;
  readonly #experimentId: string;
  readonly #claim: LeaseClaim;

  private constructor(
    plane: MeasuredPlane,
    worker: TestWorker,
    experimentId: string,
    claim: LeaseClaim,
  ) {
    this.#plane = plane;
    this.worker = worker;
    this.#experimentId = experimentId;
    this.#claim = claim;
  }

  static async take(plane: MeasuredPlane, number: number): Promise<HeldTask> {
    const worker = plane.rawWorker(ID);
    await worker.hello(process.pid, { device: DEVICE });
    await worker.next("welcome");
    const spec = quickSpec(number);
    spec.compute = { ...spec.compute, device: "cuda" } as typeof spec.compute;
    const { id } = await plane.client.create(spec, `held ${number}`);
    return new HeldTask(plane, worker, id, claimOf(await worker.nextTask()));
  }

  said({ example, changes }: Recipe): Buffer {
    const messages = examples(this.#claim);
    const message = messages[example % messages.length] as WorkerMessage;
    return extremeBytes({ changes }, message, WorkerMessage.encode);
  }

  /** The worker leaves, and the task is deleted. */
  async release(): Promise<void> {
    await this.worker.send({ $case: "goodbye", value: {} });
    this.worker.close();
    await this.#plane.client.cancel(this.#experimentId);
    await this.#plane.client.delete(this.#experimentId);
  }
}
