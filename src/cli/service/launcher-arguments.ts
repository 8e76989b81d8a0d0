import { hostname } from "node:os";
import { resolve } from "node:path";
import { Option } from "commander";
import { invalid } from "../../errors.js";
import type { Options } from "../terminal/command-line.js";
import { readNamedFile } from "../terminal/named-file.js";
import { DEFAULT_IDLE_S, type EngineSettings, poolOf } from "./engine-pool.js";
import { parseLaunchersFile } from "./launchers-file.js";

const HOST = /^[A-Za-z0-9_.:-]{1,253}$/;

/** The flags of an engine, with their help. */
export const LAUNCHER_FLAGS: readonly [string, string][] = [
  [
    "--launcher <engine>",
    "Let slurm, kubernetes or ray://HOST:10001 start workers; --workers is then 0 by default",
  ],
  ["--image <reference>", "Image of a worker, for kubernetes"],
  ["--max-workers <n>", "Most workers that the engine is asked for, waiting ones among them"],
  [
    "--idle-timeout <s>",
    `Seconds after which an idle worker of the engine is ended (default: ${DEFAULT_IDLE_S})`,
  ],
];

/** The flags of more than one engine, and of all. */
export const POOLS_FLAGS: readonly [string, string][] = [
  ["--launchers <file>", "YAML file with several engines, in place of --launcher"],
  ["--advertise <host>", "Name or address by which workers of other machines reach this one"],
];

const WORDING = {
  ...{ name: "--launcher", engine: "--launcher", image: "--image" },
  ...{ maxWorkers: "--max-workers", idleTimeout: "--idle-timeout" },
  option: (key: string) => `--launcher-option ${key}`,
};

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
export function enginesOf(given: Options, userFolder: string): EngineSettings[] {
  const { launcher, launchers } = given;
  if (launcher === undefined) refuseAlone(given);
  if (launchers === undefined) return launcher === undefined ? [] : [engineOf(given)];
  if (launcher !== undefined) {
    throw invalid("", "--launcher and --launchers cannot be used together; write it in the file");
  }
  const path = String(launchers);
  const content = readNamedFile("--launchers", resolve(userFolder, path), path);
  return parseLaunchersFile(content, path);
}

/** @throws INVALID for every mistake in its flags */
export function engineOf(given: Options): EngineSettings {
  const { launcher: engine, image, maxWorkers, idleTimeout } = given;
  const options = optionsOf(given.launcherOption as string[] | undefined);
  return poolOf({ engine, image, maxWorkers, idleTimeout, options }, WORDING);
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
