import type { Range } from "./range.js";
import type {
  ChoiceSetting,
  NumberSetting,
  SubsetSetting,
  SwitchSetting,
  TextSetting,
} from "./setting.js";

type Help = string | readonly string[];

function joined(help: Help): string {
  return typeof help === "string" ? help : help.join(" ");
}

export function choice(
  flag: string,
  path: string,
  choices: Record<string, string>,
  help: Help,
): ChoiceSetting {
  return { kind: "choice", flag, path, choices, help: joined(help) };
}

export function number(flag: string, path: string, range: Range, help: Help): NumberSetting {
  return { kind: "number", flag, path, range, help: joined(help) };
}

export function toggle(flag: string, path: string, help: Help): SwitchSetting {
  return { kind: "switch", flag, path, help: joined(help) };
}

export function text(
  flag: string,
  path: string,
  pattern: RegExp,
  allowed: string,
  placeholder: string,
  help: Help,
): TextSetting {
  return { kind: "text", flag, path, pattern, allowed, placeholder, help: joined(help) };
}

export function subset(
  flag: string,
  path: string,
  members: readonly string[],
  help: Help,
): SubsetSetting {
  return { kind: "subset", flag, path, members, help: joined(help) };
}
