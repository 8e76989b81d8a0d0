import { invalid } from "../../errors.js";
import { MIB } from "../../settings/memory.js";

export const ENGINES = ["slurm", "kubernetes", "ray"] as const;
export type Engine = (typeof ENGINES)[number];

/** An engine that starts workers, as a person describes it. */
export interface EngineSettings {
  /** Name of the pool. */
  readonly name: string;
  readonly engine: Engine;
  /** Most workers, counted from the order on. */
  readonly maxWorkers: number;
  /** Most of them that wait in the engine's queue. */
  readonly maxPending: number;
  readonly idleTimeoutMs: number;
  /** CUDA devices that one worker may have; 0: it computes on the CPU alone. */
  readonly gpus: number;
  /** Memory that one worker may have; 0: as much as a task asks for. */
  readonly maxMemoryBytes: number;
  /** What the engine itself is told. */
  readonly options: Readonly<Record<string, string>>;
}

/** The same as it was typed; undefined for what was not. */
export interface PoolDescription {
  /** The engine's own where it is absent. */
  readonly name?: unknown;
  readonly engine: unknown;
  readonly image: unknown;
  readonly maxWorkers: unknown;
  readonly idleTimeout: unknown;
  readonly options: Readonly<Record<string, string>>;
}

/** How messages name the parts of a description. */
export interface PoolWording {
  readonly engine: string;
  readonly image: string;
  readonly maxWorkers: string;
  readonly idleTimeout: string;
  readonly name: string;
  option(key: string): string;
}

export const DEFAULT_IDLE_S = 300;
const MOST_WORKERS = 100_000;
const DEFAULT_MAX_PENDING = 16;
const LONGEST_IDLE_S = 86_400;
const MOST_GPUS = 64;
const MOST_MEMORY_MIB = 16_777_216;
/** It begins the names of jobs, which have 63 characters in Kubernetes. */
const NAME = /^[a-z][a-z0-9]{0,23}$/;
/** Where Ray Client is answered. */
const RAY_ADDRESS = /^ray:\/\/([A-Za-z0-9_.-]{1,253}|\[[0-9a-f:.]{2,45}\]):\d{1,5}$/;
/** The pool of this machine. */
const TAKEN = "local";

/** @throws INVALID for every mistake in it */
export function poolOf(given: PoolDescription, wording: PoolWording): EngineSettings {
  const { engine, address } = engineOf(given.engine, wording);
  const { gpus, "max-memory": memory, "max-pending": pending, ...others } = given.options;
  const { option } = wording;
  if (given.maxWorkers === undefined) {
    throw invalid("", `${wording.engine} needs ${wording.maxWorkers} N`);
  }
  const idleS = whole(given.idleTimeout ?? DEFAULT_IDLE_S, wording.idleTimeout, 1, LONGEST_IDLE_S);
  return {
    name: nameOf(given.name ?? engine, wording),
    engine,
    maxWorkers: whole(given.maxWorkers, wording.maxWorkers, 1, MOST_WORKERS),
    maxPending: whole(pending ?? DEFAULT_MAX_PENDING, option("max-pending"), 1, MOST_WORKERS),
    idleTimeoutMs: 1_000 * idleS,
    gpus: whole(gpus ?? 0, option("gpus"), 0, MOST_GPUS),
    maxMemoryBytes: MIB * whole(memory ?? 0, option("max-memory"), 0, MOST_MEMORY_MIB),
    options: { ...withImage(engine, others, given.image, wording), ...address },
  };
}

interface NamedEngine {
  readonly engine: Engine;
  /** The option that says where it is; of Ray alone. */
  readonly address?: Readonly<Record<"address", string>>;
}

function engineOf(name: unknown, wording: PoolWording): NamedEngine {
  if (typeof name === "string" && RAY_ADDRESS.test(name)) {
    return { engine: "ray", address: { address: name } };
  }
  const engine = ENGINES.find((known) => known === name);
  if (engine !== undefined && engine !== "ray") return { engine };
  const allowed = "slurm, kubernetes or ray://HOST:10001";
  throw invalid("", `${wording.engine} must be ${allowed}, got ${JSON.stringify(name)}`);
}

function nameOf(name: unknown, wording: PoolWording): string {
  if (typeof name === "string" && NAME.test(name) && name !== TAKEN) return name;
  const allowed = `at most 24 lower-case letters and digits, a letter first, and not ${TAKEN}`;
  throw invalid("", `${wording.name} must be ${allowed}, got ${JSON.stringify(name)}`);
}

function withImage(
  engine: Engine,
  options: Record<string, string>,
  image: unknown,
  wording: PoolWording,
): Record<string, string> {
  const takesImage = engine === "kubernetes";
  if (takesImage !== (image !== undefined)) {
    throw invalid(
      "",
      takesImage
        ? `${wording.engine} kubernetes needs ${wording.image} REFERENCE, the image of a worker`
        : `${wording.image} is for kubernetes; ${engine} starts the project's own Python`,
    );
  }
  return takesImage ? { ...options, image: String(image) } : options;
}

function whole(raw: unknown, name: string, least: number, most: number): number {
  const value = /^\d{1,8}$/.test(String(raw)) ? Number(raw) : Number.NaN;
  if (value >= least && value <= most) return value;
  const allowed = `a whole number from ${least} to ${most}`;
  throw invalid("", `${name} must be ${allowed}, got ${JSON.stringify(raw)}`);
}
