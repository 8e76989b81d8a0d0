import fc from "fast-check";
import { draftOf } from "../../src/cli/experiment/experiment-arguments.js";
import { FailureKind, StillhouseError } from "../../src/errors.js";
import { parseConfigFile } from "../../src/settings/config-file.js";
import { SETTINGS } from "../../src/settings/settings.js";
import { validateDraft } from "../../src/settings/validate.js";
import { parametersOf, type Target } from "./target.js";

const FLAGS = SETTINGS.map(({ flag }) => flag);

const scalar = fc.oneof(
  fc.string({ unit: "binary" }),
  fc.double().map(String),
  fc.bigInt().map(String),
  fc.constantFrom(
    "null",
    "~",
    "true",
    "[]",
    "{}",
    "[1, 2]",
    "!!binary aGk=",
    ".inf",
    "0x1F",
    "1e999",
  ),
  fc.constantFrom(
    "&a [*a]",
    "*unknown",
    "!<tag:x> y",
    "'",
    '"\\u',
    "|\n  text",
    "? a",
    "- a",
    "%YAML 9",
  ),
);
const line = fc
  .tuple(fc.oneof({ weight: 4, arbitrary: fc.constantFrom(...FLAGS) }, fc.string()), scalar)
  .map(([key, value]) => `${key}: ${value}`);
/** Each line is ten times the one before: small as text, and too large for memory when expanded. */
const bomb = fc.integer({ min: 1, max: 12 }).map((depth) => {
  const lines = Array.from({ length: depth }, (_, level) => {
    const item = level === 0 ? "x" : `*a${level - 1}`;
    return `a${level}: &a${level} [${Array(10).fill(item).join(", ")}]`;
  });
  return lines.join("\n");
});
const nested = fc
  .integer({ min: 1, max: 3_000 })
  .map((depth) => `${"[".repeat(depth)}${"]".repeat(depth)}`);
const content = fc.oneof(
  { weight: 6, arbitrary: fc.array(line, { maxLength: 8 }).map((lines) => lines.join("\n")) },
  { weight: 2, arbitrary: fc.string({ unit: "binary", maxLength: 300 }) },
  { weight: 2, arbitrary: fc.json() },
  bomb,
  nested,
);

/** A spec file is read, or refused as INVALID with a sentence. */
export const fuzzSpecFiles: Target = async (extent) => {
  const property = fc.property(content, (text) => {
    try {
      validateDraft(draftOf(parseConfigFile(text, "file.yaml"), undefined));
    } catch (error) {
      const isRight =
        error instanceof StillhouseError &&
        error.kind === FailureKind.INVALID &&
        error.message.length > 0;
      if (!isRight) throw error;
    }
  });
  fc.assert(property, parametersOf(extent));
};
