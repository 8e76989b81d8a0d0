import { type DescEnum, type DescField, type DescMessage, ScalarType } from "@bufbuild/protobuf";
import { PACKAGE, protoRegistry } from "../../messages/descriptors.js";
import { countLimit, MAX_KEY_CHARACTERS, textLimit } from "../../messages/limits.js";

/** A JSON Schema of 2020-12, as OpenAPI 3.1 has them. */
export type JsonSchema = Readonly<Record<string, unknown>>;

const UINT32_MAX = 2 ** 32 - 1;

const NUMBER: JsonSchema = { type: "number" };
/** What JSON has no number for is written as a word. */
const ANY_DOUBLE: JsonSchema = {
  anyOf: [NUMBER, { type: "string", enum: ["NaN", "Infinity", "-Infinity"] }],
};
const UINT64: JsonSchema = { type: "string", pattern: "^[0-9]{1,20}$" };

/**
 * The messages of the protos as JSON Schemas by their names, in the form in which the generated
 * code writes them: the protos' field names, enums as names, 64-bit integers as text, times in ISO
 * 8601. A field with its default value may be left out; one that is not known is refused.
 *
 * @param requests messages that clients send: in them, and in what they hold, numbers are finite, and
 *   texts, lists and maps are as long as the table of limits allows
 */
export function messageSchemas(requests: readonly string[]): Readonly<Record<string, JsonSchema>> {
  const own = [...protoRegistry()].filter(({ typeName }) => typeName.startsWith(PACKAGE));
  const messages = own.filter((type) => type.kind === "message");
  const sent = new Set<string>();
  for (const message of messages) if (requests.includes(message.name)) collect(message, sent);
  return Object.fromEntries([
    ...own.filter((type) => type.kind === "enum").map((type) => [type.name, enumSchema(type)]),
    ...messages.map((message) => [message.name, messageSchema(message, sent.has(message.name))]),
  ]);
}

export function reference(name: string): JsonSchema {
  return { $ref: `#/components/schemas/${name}` };
}

function collect(message: DescMessage, names: Set<string>): void {
  if (names.has(message.name)) return;
  names.add(message.name);
  for (const { message: inner } of message.fields) if (inner) collect(inner, names);
}

function enumSchema({ values }: DescEnum): JsonSchema {
  return { type: "string", enum: values.map(({ name }) => name) };
}

function messageSchema({ fields, oneofs }: DescMessage, isSent: boolean): JsonSchema {
  const properties = Object.fromEntries(
    fields.map((field) => [field.name, fieldSchema(field, isSent)]),
  );
  const choices = oneofs.filter((oneof) => oneof.fields.length > 1);
  return {
    type: "object",
    properties,
    additionalProperties: false,
    ...(choices.length === 0
      ? {}
      : {
          description: choices
            .map((oneof) => `At most one of ${oneof.fields.map(({ name }) => name).join(", ")}.`)
            .join(" "),
        }),
  };
}

function fieldSchema(field: DescField, isSent: boolean): JsonSchema {
  const value = valueSchema(field, isSent);
  const most = countLimit(field.parent.name, field.name);
  switch (field.fieldKind) {
    case "list":
      return { type: "array", items: value, ...(isSent ? { maxItems: most } : {}) };
    case "map": {
      const bounds = { maxProperties: most, propertyNames: { maxLength: MAX_KEY_CHARACTERS } };
      return { type: "object", additionalProperties: value, ...(isSent ? bounds : {}) };
    }
    default:
      return value;
  }
}

function valueSchema(field: DescField, isSent: boolean): JsonSchema {
  if (field.message) {
    const isTime = field.message.typeName === "google.protobuf.Timestamp";
    return isTime ? { type: "string", format: "date-time" } : reference(field.message.name);
  }
  if (field.enum) return reference(field.enum.name);
  if (field.scalar === undefined) throw new Error(`${field} has an unknown kind of type`);
  if (field.scalar !== ScalarType.STRING) return scalarSchema(field.scalar, isSent);
  const { max, form } = textLimit(field.parent.name, field.name);
  if (!isSent) return { type: "string" };
  return { type: "string", maxLength: max, ...(form ? { pattern: form.pattern } : {}) };
}

function scalarSchema(scalar: ScalarType, isSent: boolean): JsonSchema {
  switch (scalar) {
    case ScalarType.BOOL:
      return { type: "boolean" };
    case ScalarType.BYTES:
      return { type: "string", contentEncoding: "base64" };
    case ScalarType.DOUBLE:
    case ScalarType.FLOAT:
      return isSent ? NUMBER : ANY_DOUBLE;
    case ScalarType.UINT32:
      return { type: "integer", minimum: 0, maximum: UINT32_MAX };
    case ScalarType.INT32:
      return { type: "integer", minimum: -(2 ** 31), maximum: 2 ** 31 - 1 };
    case ScalarType.UINT64:
      return UINT64;
    default:
      throw new Error(`there is no JSON Schema yet for the scalar type ${ScalarType[scalar]}`);
  }
}
