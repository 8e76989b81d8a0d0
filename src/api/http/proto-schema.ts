import { readFileSync } from "node:fs";
import {
  createFileRegistry,
  type DescEnum,
  type DescField,
  type DescMessage,
  fromBinary,
  ScalarType,
} from "@bufbuild/protobuf";
import { FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";

/** A JSON Schema of 2020-12, as OpenAPI 3.1 has them. */
export type JsonSchema = Readonly<Record<string, unknown>>;

const PACKAGE = "stillhouse.v1";
const DESCRIPTORS = new URL("../../generated/descriptors.binpb", import.meta.url);
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
 * @param requests messages that clients send: in them, and in what they hold, numbers are finite
 */
export function messageSchemas(requests: readonly string[]): Readonly<Record<string, JsonSchema>> {
  const set = fromBinary(FileDescriptorSetSchema, readFileSync(DESCRIPTORS));
  const own = [...createFileRegistry(set)].filter(({ typeName }) => typeName.startsWith(PACKAGE));
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
  switch (field.fieldKind) {
    case "list":
      return { type: "array", items: valueSchema(field, isSent) };
    case "map":
      return { type: "object", additionalProperties: valueSchema(field, isSent) };
    default:
      return valueSchema(field, isSent);
  }
}

function valueSchema(field: DescField, isSent: boolean): JsonSchema {
  if (field.message) {
    const isTime = field.message.typeName === "google.protobuf.Timestamp";
    return isTime ? { type: "string", format: "date-time" } : reference(field.message.name);
  }
  if (field.enum) return reference(field.enum.name);
  if (field.scalar === undefined) throw new Error(`${field} has a type of no kind`);
  return scalarSchema(field.scalar, isSent);
}

function scalarSchema(scalar: ScalarType, isSent: boolean): JsonSchema {
  switch (scalar) {
    case ScalarType.STRING:
      return { type: "string" };
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
