import { hostname } from "node:os";
import { Option } from "commander";
import { invalid } from "../../errors.js";
import { MIB } from "../../settings/memory.js";
import type { Options } from "../terminal/command-line.js";

const ENGINES = ["slurm", "kubernetes"] as const;
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

const MOST_WORKERS = 100_000;
const DEFAULT_MAX_PENDING = 16;
const DEFAULT_IDLE_S = 300;
const LONGEST_IDLE_S = 86_400;
const MOST_GPUS = 64;
const MOST_MEMORY_MIB = 16_777_216;
const HOST = /^[A-Za-z0-9_.:-]{1,253}$/;

/** The flags of an engine, with their help. */
export const LAUNCHER_FLAGS: readonly [string, string][] = [
  ["--launcher <engine>", "Let slurm or kubernetes start workers; --workers is then 0 by default"],
  ["--image <reference>", "Image of a worker, for kubernetes"],
  ["--max-workers <n>", "Most workers that the engine is asked for, waiting ones among them"],
  [
    "--idle-timeout <s>",
    `Seconds after which an idle worker of the engine is ended (default: ${DEFAULT_IDLE_S})`,
  ],
  ["--advertise <host>", "Name or address by which workers of other machines reach this one"],
];

/** A repeatable flag. */
export function launcherOption(group: string): Option {
  const help =
    "Option of the engine, may be given again, such as partition, namespace, cpus, gpus, memory " +
    "(MiB), max-memory (MiB), max-pending; docs/clusters.md has all";
  return new Option("--launcher-option <key=value>", help)
    .helpGroup(group)
    .argParser((text: string, before: string[] = []) => [...before, text]);
}

/** @throws INVALID for every mistake in them */
export function engineOf(given: Options): EngineSettings | undefined {
  const { launcher: engine } = given;
  if (engine === undefined) {
    refuseAlone(given);
    return undefined;
  }
  if (!isEngine(engine)) {
    throw invalid("", `--launcher must be ${ENGINES.join(" or ")}, got ${JSON.stringify(engine)}`);
  }
  const options = optionsOf(given.launcherOption as string[] | undefined);
  const { gpus, "max-memory": memory, "max-pending": pending, ...others } = options;
  const option = (name: string) => `--launcher-option ${name}`;
  if (given.maxWorkers === undefined) throw invalid("", "--launcher needs --max-workers N");
  return {
    name: engine,
    engine,
    maxWorkers: whole(given.maxWorkers, "--max-workers", 1, MOST_WORKERS),
    maxPending: whole(pending ?? DEFAULT_MAX_PENDING, option("max-pending"), 1, MOST_WORKERS),
    idleTimeoutMs:
      1_000 * whole(given.idleTimeout ?? DEFAULT_IDLE_S, "--idle-timeout", 1, LONGEST_IDLE_S),
    gpus: whole(gpus ?? 0, option("gpus"), 0, MOST_GPUS),
    maxMemoryBytes: MIB * whole(memory ?? 0, option("max-memory"), 0, MOST_MEMORY_MIB),
    options: withImage(engine, others, given.image),
  };
}

/** @throws INVALID for what is no name and no address */
export function advertisedHost({ advertise }: Options): string | undefined {
  if (advertise === undefined) return undefined;
  if (typeof advertise === "string" && HOST.test(advertise)) return advertise;
  throw invalid(
    "",
    `--advertise must be a name or an address such as ${hostname()}, got ${JSON.stringify(advertise)}`,
  );
}

function withImage(
  engine: Engine,
  options: Record<string, string>,
  image: unknown,
): Record<string, string> {
  const takesImage = engine === "kubernetes";
  if (takesImage !== (image !== undefined)) {
    throw invalid(
      "",
      takesImage
        ? "--launcher kubernetes needs --image REFERENCE, the image of a worker"
        : `--image is for kubernetes; ${engine} starts the project's own Python`,
    );
  }
  return takesImage ? { ...options, image: String(image) } : options;
}

function isEngine(name: unknown): name is Engine {
  return ENGINES.some((engine) => engine === name);
}

function refuseAlone(options: Options): void {
  const { maxWorkers, idleTimeout, image } = options;
  const given = { "--max-workers": maxWorkers, "--idle-timeout": idleTimeout, "--image": image };
  const all = Object.entries({ ...given, "--launcher-option": options.launcherOption });
  const alone = all.find(([, value]) => value !== undefined);
  if (alone) throw invalid("", `${alone[0]} needs --launcher; --workers is for this machine`);
}

function optionsOf(given: readonly string[] = []): Record<string, string> {
  return Object.fromEntries(
    given.map((text) => {
      const [, key, value] = /^([a-z-]+)=(.+)$/.exec(text) ?? [];
      if (key !== undefined && value !== undefined) return [key, value] as const;
      throw invalid("", `--launcher-option must be KEY=VALUE, got ${JSON.stringify(text)}`);
    }),
  );
}

function whole(raw: unknown, name: string, least: number, most: number): number {
  const value = /^\d{1,8}$/.test(String(raw)) ? Number(raw) : Number.NaN;
  if (value >= least && value <= most) return value;
  const allowed = `a whole number from ${least} to ${most}`;
  throw invalid("", `${name} must be ${allowed}, got ${JSON.stringify(raw)}`);
}
