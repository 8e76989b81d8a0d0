import fc from "fast-check";

/** Longest run of random bytes. */
const MAX_BYTES = 2_000;
const MAX_FIELD = 24;

/** Well-formed protobuf of no particular message: random fields, some of them messages themselves. */
const { message: wireMessage } = fc.letrec<{ message: Buffer }>((tie) => ({
  message: fc
    .array(
      fc.oneof(
        { maxDepth: 4 },
        fc.tuple(fieldNumber(), fc.bigInt({ min: 0n, max: 2n ** 64n - 1n })).map(varintField),
        fc.tuple(fieldNumber(), fc.uint8Array({ maxLength: 64 })).map(bytesField),
        fc.tuple(fieldNumber(), fc.string({ unit: "binary" })).map(textField),
        fc.tuple(fieldNumber(), fc.double()).map(doubleField),
        fc.tuple(fieldNumber(), tie("message")).map(bytesField),
      ),
      { maxLength: 8 },
    )
    .map((fields) => Buffer.concat(fields)),
}));

/** Bytes that are no message, or an unknown message, or nearly one of the examples. */
export function malformed(examples: readonly Uint8Array[]): fc.Arbitrary<Buffer> {
  const example = fc.constantFrom(...examples);
  return fc.oneof(
    fc.uint8Array({ maxLength: MAX_BYTES }).map((bytes) => Buffer.from(bytes)),
    wireMessage,
    { weight: 3, arbitrary: fc.tuple(example, fc.array(edit(), { maxLength: 6 })).map(edited) },
  );
}

interface Edit {
  readonly kind: "flip" | "cut" | "insert" | "repeat" | "truncate";
  /** The place of the edit, as a share of the length. */
  readonly at: number;
  readonly length: number;
  readonly bytes: Uint8Array;
}

function edit(): fc.Arbitrary<Edit> {
  return fc.record({
    kind: fc.constantFrom("flip", "cut", "insert", "repeat", "truncate"),
    at: fc.double({ min: 0, max: 1, noNaN: true }),
    length: fc.integer({ min: 1, max: 40 }),
    bytes: fc.uint8Array({ minLength: 1, maxLength: 12 }),
  });
}

function edited([example, edits]: [Uint8Array, Edit[]]): Buffer {
  return edits.reduce<Buffer>(applied, Buffer.from(example));
}

function applied(before: Buffer, { kind, at, length, bytes }: Edit): Buffer {
  const position = Math.floor(at * before.length);
  const [head, rest] = [before.subarray(0, position), before.subarray(position)];
  switch (kind) {
    case "flip":
      return Buffer.concat([
        head,
        rest.subarray(0, 1).map((byte) => byte ^ (bytes[0] ?? 1)),
        rest.subarray(1),
      ]);
    case "cut":
      return Buffer.concat([head, rest.subarray(length)]);
    case "insert":
      return Buffer.concat([head, bytes, rest]);
    case "repeat":
      return Buffer.concat([head, rest.subarray(0, length), rest]);
    case "truncate":
      return head;
  }
}

function fieldNumber(): fc.Arbitrary<number> {
  return fc.integer({ min: 1, max: MAX_FIELD });
}

function varint(value: bigint): Buffer {
  const bytes: number[] = [];
  let rest = value;
  for (; rest > 0x7fn; rest >>= 7n) bytes.push(Number(rest & 0x7fn) | 0x80);
  return Buffer.from([...bytes, Number(rest)]);
}

function tag(field: number, wireType: 0 | 1 | 2): Buffer {
  return varint(BigInt(field * 8 + wireType));
}

function varintField([field, value]: [number, bigint]): Buffer {
  return Buffer.concat([tag(field, 0), varint(value)]);
}

function bytesField([field, value]: [number, Uint8Array]): Buffer {
  return Buffer.concat([tag(field, 2), varint(BigInt(value.length)), value]);
}

function textField([field, text]: [number, string]): Buffer {
  return bytesField([field, Buffer.from(text)]);
}

function doubleField([field, value]: [number, number]): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeDoubleLE(value);
  return Buffer.concat([tag(field, 1), bytes]);
}
