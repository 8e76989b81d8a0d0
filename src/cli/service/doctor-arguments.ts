import { Option } from "commander";
import { invalid } from "../../errors.js";
import { type Options, parseArguments, scriptCommand } from "../terminal/command-line.js";
import type { EngineSettings } from "./engine-pool.js";
import { advertisedHost, engineOf, LAUNCHER_FLAGS, launcherOption } from "./launcher-arguments.js";
import { GRPC_PORT, hostOf, MAX_PORT, WORKER_PORT, wholeNumber } from "./serve-arguments.js";

/** A worker that is started for a try. */
export interface SeatRequest {
  readonly engine: EngineSettings;
  /** IP address. */
  readonly host: string;
  readonly advertise: string | undefined;
  /** 0 for any. */
  readonly grpcPort: number;
  /** 0 for any. */
  readonly workerPort: number;
  /** How long it may wait in the queue and start. */
  readonly timeoutMs: number;
}

/** What a person asks for. */
export type DoctorRequest =
  | { readonly kind: "help"; readonly text: string }
  | { readonly kind: "look"; readonly seat: SeatRequest | undefined };

const GROUP = "Options:";
const DEFAULT_TIMEOUT_S = 600;
const LONGEST_TIMEOUT_S = 86_400;
const SEAT_FLAGS: readonly [string, string][] = [
  ["--advertise <host>", "Name or address by which workers of other machines reach this one"],
  ["--host <ip>", "Address to serve at during the try, as for serve (default: 127.0.0.1)"],
  ["--grpc-port <n>", `Port of gRPC, 0 for any (default: ${GRPC_PORT})`],
  ["--worker-port <n>", `Port for workers, 0 for any (default: ${WORKER_PORT})`],
  ["--timeout <s>", `Longest wait for the worker (default: ${DEFAULT_TIMEOUT_S})`],
];
const HELP = `
With --launcher, one worker is started through the engine, on a home of its own, and ended again.

Examples:
  npm run doctor
  npm run doctor -- --launcher slurm --host 0.0.0.0 --advertise login1 --launcher-option partition=gpu
  npm run doctor -- --launcher kubernetes --host 0.0.0.0 --advertise 10.0.0.5 --image REPOSITORY/worker:TAG
  npm run doctor -- --launcher ray://10.0.0.7:10001 --host 0.0.0.0 --advertise 10.0.0.5
`;

/** @throws StillhouseError INVALID for every mistake in them */
export function parseDoctorArguments(
  argv: readonly string[],
  columns: number | undefined,
): DoctorRequest {
  const parsed = parseArguments(doctorCommand(columns), argv);
  if (parsed.kind === "help") return parsed;
  const { options } = parsed;
  if (options.launcher !== undefined) return { kind: "look", seat: seatOf(options) };
  const alone = Object.keys(options).find((name) => name !== "json");
  if (alone !== undefined) {
    const flag = alone.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
    throw invalid("", `--${flag} needs --launcher`);
  }
  return { kind: "look", seat: undefined };
}

function seatOf(options: Options): SeatRequest {
  const { grpcPort, workerPort, timeout } = options;
  return {
    engine: engineOf({ maxWorkers: "1", ...options }),
    host: hostOf(options),
    advertise: advertisedHost(options),
    grpcPort: wholeNumber(grpcPort, "--grpc-port", GRPC_PORT, MAX_PORT),
    workerPort: wholeNumber(workerPort, "--worker-port", WORKER_PORT, MAX_PORT),
    timeoutMs: 1_000 * wholeNumber(timeout, "--timeout", DEFAULT_TIMEOUT_S, LONGEST_TIMEOUT_S),
  };
}

function doctorCommand(columns: number | undefined) {
  const command = scriptCommand("doctor", columns, GROUP)
    .description(
      "Shows versions, devices, what is cached and what can be reached, and tries an engine.",
    )
    .addHelpText("after", HELP);
  const own: readonly [string, string][] = [["--json", "Print one JSON document on stdout"]];
  const engine = LAUNCHER_FLAGS.filter(([flag]) => /^--(launcher|image)/.test(flag));
  for (const [flag, help] of [...own, ...engine, ...SEAT_FLAGS]) {
    command.addOption(new Option(flag, help).helpGroup(GROUP));
  }
  return command.addOption(launcherOption(GROUP));
}
