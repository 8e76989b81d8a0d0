import { invalid } from "../../errors.js";
import { parseYaml } from "../../settings/yaml-file.js";
import { type EngineSettings, type PoolWording, poolOf } from "./engine-pool.js";

const KEYS = ["name", "engine", "image", "max-workers", "idle-timeout", "options"] as const;

/**
 * The pools of a file, in the order in which they are asked: a list `pools` of mappings.
 *
 * @param fileName as messages name it
 * @throws INVALID for every mistake in it
 */
export function parseLaunchersFile(content: string, fileName: string): EngineSettings[] {
  const root = parseYaml(content, fileName);
  const described = isMapping(root) ? root.pools : undefined;
  const isAlone = isMapping(root) && Object.keys(root).length === 1;
  if (!isAlone || !Array.isArray(described) || described.length === 0) {
    throw invalid(
      "",
      `${fileName} must hold a list "pools:" with an engine each, and nothing else`,
    );
  }
  const pools = described.map((pool, at) => parsePool(pool, `pools[${at}] in ${fileName}`));
  for (const [at, { name }] of pools.entries()) {
    if (pools.findIndex((pool) => pool.name === name) < at) {
      throw invalid("", `${fileName} has two pools ${name}; give one of them another name`);
    }
  }
  return pools;
}

function parsePool(pool: unknown, place: string): EngineSettings {
  if (!isMapping(pool)) throw invalid("", `${place} must be a mapping with ${KEYS.join(", ")}`);
  const unknown = Object.keys(pool).find((key) => !KEYS.some((known) => known === key));
  if (unknown !== undefined) {
    throw invalid("", `${place} has an unknown key ${unknown}; it may have ${KEYS.join(", ")}`);
  }
  const { name, engine, image, "max-workers": maxWorkers, "idle-timeout": idleTimeout } = pool;
  const options = optionsOf(pool.options ?? {}, place);
  const given = { name, engine, image, maxWorkers, idleTimeout, options };
  return poolOf(given, wordingFor(place));
}

function optionsOf(given: unknown, place: string): Record<string, string> {
  if (!isMapping(given)) throw invalid("", `options of ${place} must be a mapping`);
  return Object.fromEntries(
    Object.entries(given).map(([key, value]) => {
      if (typeof value === "string" || typeof value === "number") return [key, String(value)];
      const got = JSON.stringify(value);
      throw invalid("", `options.${key} of ${place} must be a text or a number, got ${got}`);
    }),
  );
}

function wordingFor(place: string): PoolWording {
  const of = (key: string) => `${key} of ${place}`;
  return {
    ...{ name: of("name"), engine: of("engine"), image: of("image") },
    ...{ maxWorkers: of("max-workers"), idleTimeout: of("idle-timeout") },
    option: (key) => of(`options.${key}`),
  };
}

function isMapping(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
