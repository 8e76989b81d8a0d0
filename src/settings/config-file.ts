import { invalid } from "../errors.js";
import { findSetting, SETTINGS } from "./settings.js";
import { suggest } from "./suggestion.js";
import { type Assignments, parseValue } from "./values.js";
import { parseYaml } from "./yaml-file.js";

/**
 * Reads the settings of a YAML or JSON file: a mapping from flag names to values.
 *
 * @param content of the file; JSON is read as the YAML that it is.
 * @param fileName as messages name it.
 * @throws StillhouseError INVALID for broken YAML, an unknown or repeated key, or a wrong value.
 */
export function parseConfigFile(content: string, fileName: string): Assignments {
  const assignments = new Map<string, string | number | boolean>();
  const seenFlags = new Set<string>();
  for (const [key, raw] of Object.entries(readMapping(content, fileName))) {
    const setting = findSetting(key);
    if (setting === undefined) throw unknownKey(key, fileName);
    if (seenFlags.has(setting.flag)) {
      throw invalid(setting.path, `${fileName} gives ${setting.flag} twice; keep one of the two`);
    }
    seenFlags.add(setting.flag);
    const label = `${key} in ${fileName}`;
    for (const [path, value] of parseValue(setting, raw, label)) assignments.set(path, value);
  }
  return assignments;
}

function readMapping(content: string, fileName: string): Record<string, unknown> {
  const root = parseYaml(content, fileName);
  if (root === null) return {};
  if (typeof root === "object" && !Array.isArray(root)) return root as Record<string, unknown>;
  throw invalid("", `${fileName} must hold settings as "flag: value", one per line`);
}

function unknownKey(key: string, fileName: string) {
  const flags = SETTINGS.map((setting) => setting.flag);
  const meant = suggest(key.replaceAll("_", "-"), flags);
  const hint = meant === undefined ? "--help lists all settings" : `did you mean ${meant}?`;
  return invalid(key, `${fileName} has an unknown key ${JSON.stringify(key)}; ${hint}`);
}
