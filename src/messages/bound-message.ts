import type { DescField, DescMessage } from "@bufbuild/protobuf";
import { ScalarType } from "@bufbuild/protobuf";
import { isLonger, numCharacters, shortened } from "./bounded-text.js";
import { PACKAGE, protoRegistry } from "./descriptors.js";
import { countLimit, MAX_DEPTH, MAX_KEY_CHARACTERS, type TextLimit, textLimit } from "./limits.js";
import { isStorable } from "./times.js";

/** A value of a message that is beyond the table of limits. */
export interface LimitFault {
  /** Path of the field in the protos' names, such as "spec.dataset.name". */
  readonly field: string;
  /** One sentence for a person. */
  readonly sentence: string;
}

type Values = Record<string, unknown>;

/** A field that can hold a text, a time, a list or a map, whatever its depth. */
interface BoundField {
  /** In the protos. */
  readonly name: string;
  /** In the decoded message. */
  readonly key: string;
  /** Key of the oneof that it is of. */
  readonly oneof: string | undefined;
  readonly kind: "single" | "list" | "map";
  readonly maxCount: number;
  /** What is held: texts, messages of a type, times, or numbers. */
  readonly text: TextLimit | undefined;
  readonly isTime: boolean;
  readonly message: string | undefined;
}

const plans = new Map<string, readonly BoundField[]>();

/**
 * Checks a decoded message, with everything in it, against the table of limits, and its times
 * against the range that can be stored. Texts that people only read, such as log lines, are cut in
 * place.
 *
 * @param type name of the message in the protos, without its package
 * @returns the first value that is beyond a limit
 */
export function boundMessage(type: string, message: object): LimitFault | undefined {
  return faultOfMessage(type, message as Values, "", 0);
}

function faultOfMessage(
  type: string,
  message: Values,
  path: string,
  depth: number,
): LimitFault | undefined {
  if (depth > MAX_DEPTH) return fault(path, `be nested at most ${MAX_DEPTH} levels deep`);
  for (const field of planOf(type)) {
    const place = placeOf(field, message);
    if (place === undefined) continue;
    const found = faultOfField(field, place.holder, place.key, joined(path, field.name), depth);
    if (found) return found;
  }
  return undefined;
}

/** Where the value of a field is, if it has one. */
function placeOf({ key, oneof }: BoundField, message: Values) {
  if (oneof === undefined) return message[key] === undefined ? undefined : { holder: message, key };
  const union = message[oneof] as Values | undefined;
  return union?.$case === key ? { holder: union, key: "value" } : undefined;
}

function faultOfField(
  field: BoundField,
  holder: Values,
  key: string,
  path: string,
  depth: number,
): LimitFault | undefined {
  if (field.kind === "single") return faultOfValue(field, holder, key, path, depth);
  const entries = holder[key] as Values;
  // Numbers have no limit of their own, and a list may hold many.
  const isOfNumbers = field.text === undefined && field.message === undefined;
  const count = Array.isArray(entries) ? entries.length : Object.keys(entries).length;
  if (count > field.maxCount) {
    return fault(path, `have at most ${field.maxCount} entries, got ${count}`);
  }
  if (field.kind === "list" && isOfNumbers) return undefined;
  for (const entry of Object.keys(entries)) {
    const found =
      field.kind === "map" && isLonger(entry, MAX_KEY_CHARACTERS)
        ? fault(path, `have keys of at most ${MAX_KEY_CHARACTERS} characters`)
        : faultOfValue(field, entries, entry, joined(path, entry), depth);
    if (found) return found;
  }
  return undefined;
}

function faultOfValue(
  { text, isTime, message }: BoundField,
  holder: Values,
  key: string,
  path: string,
  depth: number,
): LimitFault | undefined {
  const value = holder[key];
  if (message !== undefined) return faultOfMessage(message, value as Values, path, depth + 1);
  if (isTime && !isStorable(value as Date)) {
    return fault(path, "be a time between the years 1 and 9999");
  }
  if (text === undefined) return undefined;
  if (!isLonger(value as string, text.max)) return faultOfForm(value as string, text, path);
  if (text.keeps === undefined) {
    const count = numCharacters(value as string);
    return fault(path, `have at most ${text.max} characters, got ${count}`);
  }
  holder[key] = shortened(value as string, text);
  return undefined;
}

/** The value itself is left out, since it may contain what no terminal should be sent. */
function faultOfForm(value: string, { form }: TextLimit, path: string): LimitFault | undefined {
  if (form === undefined || regularExpression(form.pattern).test(value)) return undefined;
  return fault(path, form.rule);
}

const expressions = new Map<string, RegExp>();

function regularExpression(pattern: string): RegExp {
  const expression = expressions.get(pattern) ?? new RegExp(pattern, "u");
  expressions.set(pattern, expression);
  return expression;
}

/** The fields of a message that there is a limit to, worked out once for each type. */
function planOf(type: string): readonly BoundField[] {
  const known = plans.get(type);
  if (known) return known;
  const message = protoRegistry().getMessage(`${PACKAGE}.${type}`);
  if (message === undefined) throw new Error(`the protos have no message ${type}`);
  const plan = message.fields.map((field) => boundField(message, field)).filter(isBounded);
  plans.set(type, plan);
  return plan;
}

function boundField({ name: type }: DescMessage, field: DescField): BoundField {
  const { name, localName: key, oneof, fieldKind } = field;
  const isText = field.scalar === ScalarType.STRING;
  return {
    name,
    key,
    oneof: oneof?.localName,
    kind: fieldKind === "list" || fieldKind === "map" ? fieldKind : "single",
    maxCount: countLimit(type, name),
    text: isText ? textLimit(type, name) : undefined,
    isTime: field.message?.typeName === "google.protobuf.Timestamp",
    message: field.message?.typeName.startsWith(PACKAGE) ? field.message.name : undefined,
  };
}

function isBounded({ kind, text, isTime, message }: BoundField): boolean {
  return kind !== "single" || text !== undefined || isTime || message !== undefined;
}

function joined(path: string, name: string): string {
  return path === "" ? name : `${path}.${name}`;
}

function fault(path: string, allowed: string): LimitFault {
  return { field: path, sentence: `${path} must ${allowed}` };
}
