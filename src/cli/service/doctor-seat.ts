import { setTimeout as sleep } from "node:timers/promises";
import { toFailure } from "../../errors.js";
import {
  type Worker,
  type WorkerPool,
  WorkerState,
} from "../../generated/stillhouse/v1/service.js";
import { formatBytes, formatDuration } from "../../text/format.js";
import type { SeatRequest } from "./doctor-arguments.js";
import type { Check } from "./doctor-checks.js";

/** A control plane that has asked an engine for one worker. */
export interface SeatTrial {
  /** Where workers and gRPC are reached, as the worker was told. */
  readonly addresses: { readonly workers: string; readonly grpc: string };
  workers(): Promise<readonly Worker[]>;
  pools(): Promise<readonly WorkerPool[]>;
  /** What went wrong, with the last lines of the worker's log. */
  readonly warnings: readonly string[];
  /** Ends the worker, and itself. */
  stop(): Promise<void>;
}

export type StartSeatTrial = (request: SeatRequest) => Promise<SeatTrial>;

const LOOK_MS = 500;
const WAITING: ReadonlySet<WorkerState> = new Set([WorkerState.PENDING, WorkerState.STARTING]);

/**
 * Has an engine start one worker, waits for its hello, and ends it.
 *
 * @param note gets a sentence whenever it has come further
 */
export async function checkSeat(
  request: SeatRequest,
  start: StartSeatTrial,
  note: (sentence: string) => void,
): Promise<Check[]> {
  let trial: SeatTrial;
  try {
    trial = await start(request);
  } catch (error) {
    return [problem("Seat", toFailure(error).message, "")];
  }
  const checks = await joined(request, trial, note).catch((error: unknown) => [
    problem("Seat", toFailure(error).message, ""),
  ]);
  return [...checks, await ended(trial)];
}

async function joined(
  { engine, timeoutMs }: SeatRequest,
  trial: SeatTrial,
  note: (sentence: string) => void,
): Promise<Check[]> {
  const startMs = performance.now();
  let told = "";
  for (;;) {
    const [worker] = await trial.workers();
    if (worker && !WAITING.has(worker.state)) {
      return found(worker, trial, performance.now() - startMs);
    }
    const fault = (await trial.pools()).find(({ name }) => name === engine.name)?.fault ?? "";
    if (fault !== "") return [failed(engine.engine, fault, told, trial)];
    const state = worker === undefined ? "asked for" : stateText(worker);
    if (state !== told) note(`${worker?.id ?? engine.name}: ${state}`);
    told = state;
    if (performance.now() - startMs > timeoutMs) {
      const detail = `${state} after ${formatDuration(timeoutMs / 1_000)}`;
      return [problem("Seat", detail, `${reach(trial, told)}--timeout waits longer`)];
    }
    await sleep(LOOK_MS);
  }
}

function stateText({ state, reason, host }: Worker): string {
  if (state === WorkerState.STARTING) return `starting on ${host || "a node"}`;
  return reason === "" ? "pending" : `pending (${reason})`;
}

function failed(engine: string, fault: string, told: string, trial: SeatTrial): Check {
  const logLine = trial.warnings.at(-1)?.trim().split("\n").slice(1).at(-1) ?? "";
  const detail = [`${engine}: ${fault}`, logLine].filter(Boolean).join("; its log ends with: ");
  return problem("Seat", detail, `${reach(trial, told)}see docs/clusters.md`);
}

/** What to look at where the worker ran and did not say hello. */
function reach({ addresses }: SeatTrial, told: string): string {
  if (!told.startsWith("starting")) return "";
  return `the node must reach ${addresses.workers} and ${addresses.grpc}; `;
}

function found(worker: Worker, { addresses }: SeatTrial, tookMs: number): Check[] {
  const { id, host, device, deviceName, memoryTotalBytes, versions, reason } = worker;
  const memory = memoryTotalBytes === 0n ? [] : [formatBytes(Number(memoryTotalBytes))];
  const facts = Object.entries(versions).filter(([name]) => name !== "device_name");
  const grpc = { name: "Way back, gRPC" };
  return [
    well("Seat", `${id} joined from ${host} after ${formatDuration(tookMs / 1_000)}`),
    well("Device", [device, deviceName, ...memory].filter(Boolean).join(", ")),
    well("Versions", facts.map(([name, version]) => `${name} ${version}`).join(", ")),
    well("Way back, workers", addresses.workers),
    reason === ""
      ? well(grpc.name, addresses.grpc)
      : problem(grpc.name, reason, "--advertise names this machine; both ports must be open"),
  ];
}

async function ended(trial: SeatTrial): Promise<Check> {
  const startMs = performance.now();
  const before = trial.warnings.length;
  await trial.stop();
  const left = trial.warnings.slice(before).find((warning) => /could not be ended/.test(warning));
  if (left !== undefined) return problem("End", left, "end them by hand");
  return well(
    "End",
    `nothing is left after ${formatDuration((performance.now() - startMs) / 1_000)}`,
  );
}

function well(name: string, detail: string): Check {
  return { name, status: "ok", detail, remedy: "" };
}

function problem(name: string, detail: string, remedy: string): Check {
  return { name, status: "error", detail, remedy };
}
