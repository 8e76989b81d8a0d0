import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { type DescField, type DescMessage, ScalarType } from "@bufbuild/protobuf";
import { boundMessage } from "../../src/messages/bound-message.js";
import { isLonger, shortened } from "../../src/messages/bounded-text.js";
import { PACKAGE, protoRegistry } from "../../src/messages/descriptors.js";
import { countLimit, limitedFields, textLimit } from "../../src/messages/limits.js";

/** What comes in: from clients by gRPC and HTTP, from workers by ZeroMQ. */
function incoming(): DescMessage[] {
  const types = [...protoRegistry()];
  const requests = types.flatMap((type) =>
    type.kind === "service" ? type.methods.map(({ input }) => input) : [],
  );
  return [...requests, requiredMessage("WorkerMessage")];
}

function requiredMessage(name: string): DescMessage {
  const found = protoRegistry().getMessage(`${PACKAGE}.${name}`);
  assert.ok(found, `there is no message ${name}`);
  return found;
}

interface Place {
  /** The fields on the way from the outermost message to the last one. */
  readonly fields: readonly DescField[];
  readonly last: DescField;
}

/** Every field that can be reached from a message, with each type once per path. */
function placesIn(message: DescMessage, before: readonly DescField[] = []): Place[] {
  return message.fields.flatMap((field) => {
    const fields = [...before, field];
    const inner = field.message;
    const isNew = !before.some(({ parent }) => parent === inner);
    const own = inner?.typeName.startsWith(PACKAGE) && isNew ? placesIn(inner, fields) : [];
    return [{ fields, last: field }, ...own];
  });
}

/** A decoded message with that value in its innermost field. */
function holding(fields: readonly DescField[], value: unknown): Record<string, unknown> {
  const [field, ...rest] = fields;
  assert.ok(field);
  const inner = rest.length === 0 ? value : holding(rest, value);
  const wrapped = rest.length > 0 && field.fieldKind === "list" ? [inner] : inner;
  const { oneof, localName: key } = field;
  return oneof ? { [oneof.localName]: { $case: key, value: wrapped } } : { [key]: wrapped };
}

/** A value as the field has it: alone, in a list, or under a key. */
function heldBy({ fieldKind }: DescField, value: string): unknown {
  if (fieldKind === "list") return [value];
  return fieldKind === "map" ? { key: value } : value;
}

function valueIn(message: unknown, fields: readonly DescField[]): unknown {
  let value = message as Record<string, unknown>;
  for (const { oneof, localName: key, fieldKind, message } of fields) {
    value = (oneof ? (value[oneof.localName] as { value: unknown }).value : value[key]) as never;
    if (fieldKind === "list" && message) value = (value as unknown as unknown[])[0] as never;
  }
  return value;
}

const ALL = incoming().flatMap((message) =>
  placesIn(message).map((place) => ({ message, ...place })),
);

describe("the limits of what comes in", () => {
  test("name only fields of the protos", () => {
    for (const named of limitedFields()) {
      const [message = "", field] = named.split(".");
      const { fields } = requiredMessage(message);
      assert.ok(
        fields.some(({ name }) => name === field),
        named,
      );
    }
  });

  test("apply to every incoming text: it is refused by its field, or cut", () => {
    const texts = ALL.filter(({ last }) => last.scalar === ScalarType.STRING);
    assert.ok(texts.length > 60, `only ${texts.length} texts were found`);
    for (const { message, fields, last } of texts) {
      if (last.fieldKind === "map") continue;
      const { max, keeps } = textLimit(last.parent.name, last.name);
      const held = (length: number) => {
        const text = "x".repeat(length);
        return holding(fields, last.fieldKind === "list" ? [text] : text);
      };
      assert.equal(boundMessage(message.name, held(max)), undefined, last.toString());
      const tooLong = held(max + 1);
      const fault = boundMessage(message.name, tooLong);
      if (keeps === undefined) {
        assert.ok(fault, `${message.name}: ${last} of ${max + 1} characters passed`);
        assert.match(fault.sentence, new RegExp(`^${fault.field} must have at most ${max} char`));
        assert.ok(fault.field.includes(last.name), fault.field);
      } else {
        assert.equal(fault, undefined);
        const { length } = String(valueIn(tooLong, fields));
        assert.ok(length <= max, `${message.name}: ${last} still has ${length} characters`);
      }
    }
  });

  test("apply to the form of every id and of the names of metrics", () => {
    const ids = ALL.filter(
      ({ last }) => /^(\w+_)?ids?$/.test(last.name) && last.scalar === ScalarType.STRING,
    );
    const named = ids.filter(({ last }) => last.name !== "request_id");
    assert.ok(named.length > 20, `only ${named.length} ids were found`);
    for (const { message, fields, last } of named) {
      const faultOf = (id: string) => boundMessage(message.name, holding(fields, heldBy(last, id)));
      for (const id of ["", "x1-evaluate-2", "host.name:4410", "..."]) {
        assert.equal(faultOf(id), undefined, `${last}: ${id}`);
      }
      for (const id of [
        "../x",
        "a/b",
        "a\\b",
        ".",
        "..",
        "a\nb",
        "\u001b[2J",
        "\u0000",
        "\u009b1m",
      ]) {
        assert.match(
          faultOf(id)?.sentence ?? "",
          /must have no control characters, no "\/"/,
          `${last}`,
        );
      }
    }
    const point = (name: string) => boundMessage("MetricPoints", { points: [{ name }] });
    for (const name of ["loss", "η of step 1"]) assert.equal(point(name), undefined);
    for (const name of ["", "a\u0007", "\u001b]0;x"]) {
      assert.equal(point(name)?.field, "points.0.name");
    }
  });

  test("apply to every incoming time, also to one beyond the range of Date", () => {
    const times = ALL.filter(({ last }) => last.message?.typeName === "google.protobuf.Timestamp");
    assert.ok(times.length > 3, `only ${times.length} times were found`);
    for (const { message, fields, last } of times) {
      const faultOf = (seconds: number) =>
        boundMessage(message.name, holding(fields, new Date(seconds * 1_000)));
      for (const seconds of [-62_135_596_800, 0, 253_402_300_799]) {
        assert.equal(faultOf(seconds), undefined, `${last}: ${seconds}`);
      }
      for (const seconds of [2 ** 60, Number.NaN, 253_402_300_800, -62_135_596_801]) {
        const { field, sentence } = faultOf(seconds) ?? {};
        assert.equal(sentence, `${field} must be a time between the years 1 and 9999`);
      }
    }
  });

  test("apply to every incoming list and map", () => {
    const many = ALL.filter(({ last }) => last.fieldKind === "list" || last.fieldKind === "map");
    assert.ok(many.length > 15, `only ${many.length} lists and maps were found`);
    for (const { message, fields, last } of many) {
      const max = countLimit(last.parent.name, last.name);
      const entry = last.message ? {} : last.scalar === ScalarType.STRING ? "x" : 1;
      const held = (count: number) => {
        const list = Array<unknown>(count).fill(entry);
        return holding(fields, last.fieldKind === "list" ? list : { ...list });
      };
      assert.equal(boundMessage(message.name, held(max)), undefined, last.toString());
      const fault = boundMessage(message.name, held(max + 1));
      assert.ok(fault, `${message.name}: ${last} of ${max + 1} entries passed`);
    }
  });

  test("apply to keys and values of maps, and to the depth of causes", () => {
    const hello = (versions: object) => ({ kind: { $case: "hello", value: { versions } } });
    assert.equal(boundMessage("WorkerMessage", hello({ torch: "2" })), undefined);
    assert.match(
      boundMessage("WorkerMessage", hello({ ["x".repeat(201)]: "2" }))?.sentence ?? "",
      /^hello\.versions must have keys of at most 200 characters$/,
    );
    assert.match(
      boundMessage("WorkerMessage", hello({ torch: "x".repeat(1_001) }))?.sentence ?? "",
      /^hello\.versions\.torch must have at most 1000 characters, got 1001$/,
    );
    const nested = (depth: number): object => (depth === 0 ? {} : { cause: nested(depth - 1) });
    assert.equal(boundMessage("Failure", nested(10)), undefined);
    assert.ok(boundMessage("Failure", nested(1_000)), "causes may be nested without end");
  });
});

describe("a text that is cut", () => {
  test("keeps its start or its end, says how long it was, and stays within the limit", () => {
    const text = `${"a".repeat(500)}${"z".repeat(500)}`;
    const start = shortened(text, { max: 100, keeps: "start" });
    assert.equal(start.length, 100);
    assert.match(start, /^a+\[… 1000 characters in all …\]$/);
    assert.match(shortened(text, { max: 100, keeps: "end" }), /^\[… 1000 characters in all …\]z+$/);
    assert.equal(shortened("short", { max: 100, keeps: "end" }), "short");
  });

  test("never cuts a character in half", () => {
    for (const keeps of ["start", "end"] as const) {
      for (const length of [100, 101]) {
        const cut = shortened("🜁".repeat(300), { max: length, keeps });
        assert.equal(Buffer.from(cut).toString(), cut);
      }
    }
  });

  test("is measured in characters, not in UTF-16 units", () => {
    assert.equal(isLonger("🜁".repeat(100), 100), false);
    assert.equal(isLonger("🜁".repeat(101), 100), true);
  });
});
