import fc from "fast-check";

/** Which example, and which of its values become which extremes; all indices are taken modulo. */
export interface Recipe {
  readonly example: number;
  readonly changes: readonly { readonly leaf: number; readonly extreme: number }[];
}

/** A message of the generated code. */
export type Message = object;

const LONG = 70_000;
const MANY = 2_000;

/** A time, also one beyond the range of Date, which a sender in another language may still send. */
const timeOf = (seconds: number) => ({ getTime: () => seconds * 1_000 }) as Date;

const EXTREMES = {
  bigint: [0n, 1n, 2n ** 31n, 2n ** 53n, 2n ** 53n + 1n, 2n ** 63n - 1n, 2n ** 64n - 1n],
  number: [0, 1, -1, 2 ** 31 - 1, 2 ** 32 - 1, Number.NaN, Number.POSITIVE_INFINITY, 1e308, 5e-324],
  string: [
    "",
    " ",
    "\0",
    "a".repeat(LONG),
    "\u001b[2J\n",
    "../../etc",
    "é\u0301\u202e",
    "__proto__",
  ],
  boolean: [true, false],
  time: [0, -1, 2 ** 31, 253_402_300_800, 8.64e12, 8.64e12 + 1, 2 ** 53].map(timeOf),
  bytes: [new Uint8Array(), new Uint8Array(LONG)],
} as const;

type Path = readonly (string | number)[];

/** Recipes for messages that are valid except for values at the edges of what their fields hold. */
export function recipes(): fc.Arbitrary<Recipe> {
  const change = fc.record({ leaf: fc.nat(1_000), extreme: fc.nat(100) });
  return fc.record({ example: fc.nat(1_000), changes: fc.array(change, { maxLength: 3 }) });
}

/**
 * The encoded message of a recipe; the unchanged example where the extremes cannot be encoded.
 *
 * @param encode of the generated code
 */
export function extremeBytes<M extends Message>(
  { changes }: Pick<Recipe, "changes">,
  example: M,
  encode: (message: M) => { finish(): Uint8Array },
): Buffer {
  const message = structuredCopy(example) as M;
  for (const { leaf, extreme } of changes) change(message, leaf, extreme);
  try {
    return Buffer.from(encode(message).finish());
  } catch {
    return Buffer.from(encode(example).finish());
  }
}

function change(message: Message, leaf: number, extreme: number): void {
  const paths = pathsOf(message);
  const path = paths[leaf % Math.max(1, paths.length)];
  if (path === undefined) return;
  const last = path.at(-1) ?? "";
  const holder = path.slice(0, -1).reduce<unknown>((value, key) => at(value, key), message);
  const value = at(holder, last);
  (holder as Record<string | number, unknown>)[last] = Array.isArray(value)
    ? Array.from({ length: MANY }, (_, index) => value[index % value.length])
    : extremeOf(value, extreme);
}

function extremeOf(value: unknown, extreme: number): unknown {
  const choices = choicesFor(value);
  return choices === undefined ? value : choices[extreme % choices.length];
}

function choicesFor(value: unknown): readonly unknown[] | undefined {
  if (value instanceof Date) return EXTREMES.time;
  if (value instanceof Uint8Array) return EXTREMES.bytes;
  const kind = typeof value;
  return kind === "bigint" || kind === "number" || kind === "string" || kind === "boolean"
    ? EXTREMES[kind]
    : undefined;
}

/** The paths of all values that can be made extreme, including lists that are not empty. */
function pathsOf(value: unknown, path: Path = []): Path[] {
  if (choicesFor(value) !== undefined) return [path];
  if (typeof value !== "object" || value === null) return [];
  const own = Array.isArray(value) && value.length > 0 ? [path] : [];
  // The name of a oneof's case is no value of the message.
  const entries = Object.entries(value).filter(([key]) => key !== "$case");
  return [...own, ...entries.flatMap(([key, inner]) => pathsOf(inner, [...path, key]))];
}

function structuredCopy(value: unknown): unknown {
  if (typeof value !== "object" || value === null) return value;
  if (value instanceof Date || value instanceof Uint8Array) return value;
  if (Array.isArray(value)) return value.map(structuredCopy);
  return Object.fromEntries(
    Object.entries(value).map(([key, inner]) => [key, structuredCopy(inner)]),
  );
}

function at(value: unknown, key: string | number): unknown {
  return (value as Record<string | number, unknown>)[key];
}
